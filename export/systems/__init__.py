"""The systems that can be exported, one file each. The only part of `export` that knows networks.

A file defines `SYSTEM`: a description, the default sampling of each stage, and a function that
reads the checkpoints and returns the pack's contents.
"""
