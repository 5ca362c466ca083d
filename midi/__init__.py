"""MIDI and Ableton Link: steers an instrument, and brings it a beat. May import `engine` only."""
