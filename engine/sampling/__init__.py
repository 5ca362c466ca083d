"""Noise schedules, samplers as coefficient tables, parameterisations, guidance, noise, replacement.

Importing this package does no work; import from its modules.
"""
