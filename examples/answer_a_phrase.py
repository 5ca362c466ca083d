"""Play a phrase, let the model continue it, and print the notes as they sound.

Plays on the default sound device, or silently if there is none.
"""

import time

from attacca import Instrument, Note

phrase = [
    Note(60, 80, start=0.0, end=0.4),
    Note(64, 85, start=0.5, end=0.9),
    Note(67, 95, start=1.0, end=1.8),
]

with Instrument("piano", latency=1.0, steps=4) as piano:
    piano.play("default-or-none")
    piano.wait_for_sound()
    remove = piano.listen_notes(lambda note: note.velocity and print(f"key {note.pitch}"))
    piano.play_phrase(phrase)
    time.sleep(5)
    remove()
    print("no longer listening")
    piano.hold("C2 G2")  # the music plays around these keys
    time.sleep(2)
