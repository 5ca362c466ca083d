"""Noise schedules, samplers as coefficient tables, parameterisations, guidance, noise, the loop.

Importing this package does no work; import from its modules.
"""
