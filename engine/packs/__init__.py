"""Packs: the manifest, where packs are found, their verification, and their ONNX sessions.

A pack is data: nothing here unpickles, runs or follows a path out of the pack's folder.
"""
