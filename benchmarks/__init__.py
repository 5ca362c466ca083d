"""Measurements of the instrument: run one with `python -m benchmarks.NAME --help`.

Scripts of one command each (`quality`, `seams`, `continuation`, `settings`, `numbers`, `pictures`,
`phase`, `transcription`) over shared modules (`material`, `embedding`, `measures`, `live`,
`reference`, `report`). The parts of `quality` are a module each, over `workbench`, `streams`,
`figures`, `onsets` and `phrases`. None is part of the player; their results are in
docs/benchmarks.md and docs/quality.md.
"""
