"""Representations: the meaning of a signal's frames, one file per kind behind one protocol.

`protocol` defines their methods; `kinds` lists them with their options and creates them.
"""
