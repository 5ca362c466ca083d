"""Go on from a recording: its end is played first, then continued.

Usage: python continue_a_recording.py RECORDING OUT.wav [SECONDS]
"""

import sys
from pathlib import Path

from attacca import Instrument
from attacca.seed_audio import read_past

recording, out = Path(sys.argv[1]), Path(sys.argv[2])
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0

piano = Instrument("piano", seed=7, steps=4)
past = read_past(recording, piano.manifest.rate, piano.manifest.channels)
piano.render(out, seconds, past=past)
print(f"{out}: {len(past) / piano.manifest.rate:.1f} s as recorded, then as imagined")
