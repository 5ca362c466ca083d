"""Time: the clock that everything waits on, the beat, and actions that wait for the beat."""
