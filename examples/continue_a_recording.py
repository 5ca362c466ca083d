"""Continue a recording: its end is played first, then the model's continuation.

Usage: python continue_a_recording.py RECORDING OUT.wav [SECONDS]
"""

import sys

from attacca import Instrument, read_past

recording, out = sys.argv[1], sys.argv[2]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 20.0

piano = Instrument("piano", seed=7, steps=4)
past = read_past(recording, piano.manifest.rate, piano.manifest.channels)
piano.render(out, seconds, past=past)
print(f"{out}: {len(past) / piano.manifest.rate:.1f} s of the recording, then its continuation")
