"""Measurements of the instrument: run one with `python -m benchmarks.NAME --help`.

Scripts of one command each (`seams`, `continuation`, `quality`, `numbers`, `pictures`, `phase`)
over a few shared modules (`material`, `embedding`, `measures`, `live`, `reference`, `report`). None
is part of the player; docs/benchmarks.md holds what they measured.
"""
