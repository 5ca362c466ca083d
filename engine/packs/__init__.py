"""Packs: the manifest, the plan, discovery and verification.

A pack is data: nothing here unpickles, executes code or follows a path out of the pack's folder.
"""
