"""Play ten seconds of endless piano on the default sound device, or silently without one."""

import time

from attacca import Instrument

with Instrument("piano") as piano:
    piano.listen(lambda event: print(f"{event.kind}: {event.text}"))
    piano.play("default-or-none")
    print(f"first sound after {piano.wait_for_sound():.2f} s, seed {piano.settings['seed']}")
    time.sleep(10)
    print(f"{piano.status().xruns} xruns")
