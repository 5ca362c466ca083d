"""Play ten seconds of endless piano on the default sound device, or silently without one."""

import time

from attacca import AttaccaError, Instrument

with Instrument("piano") as piano:
    try:
        piano.play()
    except AttaccaError as error:
        print(error)
        piano.play(None)
    print(f"first sound after {piano.wait_for_sound():.2f} s, seed {piano.settings['seed']}")
    time.sleep(10)
    print(f"{piano.status().xruns} xruns")
