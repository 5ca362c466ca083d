"""Graphs on a target (CPU, GPU, ...), and the walk of a sampler's table over them.

Importing this package does no work; import from its modules.
"""
