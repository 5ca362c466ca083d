"""The sound itself: devices, the C callback and its ring, mixer, limiter, recorder, sound files.

Importing this package does no work. `docs/audio-path.md` has the threads and the rules.
"""
