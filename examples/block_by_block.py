"""Generate block by block, and let each block control the next one.

Usage: python block_by_block.py [SECONDS]
"""

import sys

from attacca import Instrument

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
piano = Instrument("piano", seed=7, steps=4, harmony="C E G")

for block in piano.blocks(seconds):
    struck = [note for note in block.notes if note.velocity]
    print(f"{block.start:5.1f} s: {len(block.samples)} samples, {len(struck)} notes")
    # After few notes the next block is denser, after many it is calmer.
    piano.set(density=8.0 if len(struck) < 3 else 2.0)
