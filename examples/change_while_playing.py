"""Change controls while the music plays, and print every event.

Plays silently; to hear it, name a device:
python change_while_playing.py [DEVICE]
"""

import sys
import time

from attacca import Instrument

with Instrument("piano", latency=1.0, steps=4) as piano:
    piano.listen(lambda event: print(f"{event.at:5.1f} s  {event.kind}: {event.text}"))
    piano.play(sys.argv[1] if len(sys.argv) > 1 else None)
    piano.wait_for_sound()

    piano.set(temperature=0.8, seed=99)  # block controls: audible from the next block on
    print(f"audible in {piano.latencies().total:.1f} s at most")
    for gain in (-6.0, -12.0, 0.0):  # a live control: audible at once
        piano.set(gain=gain)
        time.sleep(0.5)
    piano.panic()  # fades out, and stays silent
    time.sleep(0.5)
    piano.set(pause=False)  # plays a new piece
    time.sleep(0.5)
    print(f"{piano.status().stream.blocks} blocks generated")
