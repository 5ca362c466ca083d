"""MIDI and Ableton Link: control of an instrument, and its tempo. May import `engine` only."""
