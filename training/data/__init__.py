"""From recordings or MIDI to a dataset: kit, notes, rendering, room, and the blocks drawn from it."""
