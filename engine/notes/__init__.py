"""Notes as values: their names, MIDI files, and notes that are read out of sound."""
