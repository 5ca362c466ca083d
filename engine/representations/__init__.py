"""Representations: what the frames of a signal are, one file for each kind behind one protocol.

`protocol` says what each of them can do, `kinds` lists them with their options and makes them.
"""
