"""From recordings or MIDI to a dataset: kit, notes, rendering, room, and its blocks."""
