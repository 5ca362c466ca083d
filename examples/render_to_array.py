"""Render a few seconds into a file, and read them back as a numpy array.

Usage: python render_to_array.py [OUT.wav] [SECONDS]
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from attacca import Instrument

out = Path(sys.argv[1] if len(sys.argv) > 1 else "piano.wav")
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0

Instrument("piano", seed=7, steps=4).render(out, seconds)

sound, rate = soundfile.read(out, dtype="float32", always_2d=True)  # [frames, channels]
level = 20 * np.log10(np.sqrt(np.mean(sound**2)) + 1e-9)
print(f"{out}: {len(sound) / rate:.1f} s at {rate} Hz, {level:.1f} dB")
