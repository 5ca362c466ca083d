"""Render a few seconds as an array, with the notes in it.

Usage: python render_to_array.py [SECONDS]
"""

import sys

import numpy as np

from attacca import Instrument

piano = Instrument("piano", seed=7, steps=4)
samples, notes = piano.render(seconds=float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)

rate = piano.manifest.rate
level = 20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9)
print(f"{len(samples) / rate:.1f} s at {rate} Hz, {level:.1f} dB, {len(notes)} notes")
for note in notes[:5]:
    print(f"{note.start:6.2f} to {note.end:5.2f} s: key {note.pitch}, velocity {note.velocity}")
