"""Takes: what is recorded of a performance, sound and notes, one after the other.

Called under the instrument's lock. Sound is tapped from the mixer by a recorder with a thread of
its own; notes go into a MIDI file beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.audio.mixer import Mixer
from engine.audio.recorder import Recorder
from engine.stream.notes_out import NotesOut

__all__ = ["Takes"]


class Takes:
    """At most one take at a time.

    Parameters
    ----------
    say : called with (kind, text) for what a performer should know.
    """

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._recorder: Recorder | None = None
        self._notes: NotesOut | None = None
        self._rate = 1

    @property
    def path(self) -> Path | None:
        """The file of the take that is under way."""
        return self._recorder.path if self._recorder else None

    def begin(
        self, path: Path, rate: int, channels: int, mixer: Mixer, notes: NotesOut | None
    ) -> None:
        """Record what `mixer` renders at `rate` into `path`, and `notes` beside it.

        Raises
        ------
        StorageError
            When the file cannot be written.
        """
        self._recorder = recorder = Recorder(path, rate, channels)
        self._rate, self._notes = rate, notes
        mixer.set_taps((recorder.tap,))
        if notes is not None:
            notes.begin_recording()
        self._say("recording", str(path))

    def end(self, mixer: Mixer | None) -> None:
        """End the take, if there is one, and say what became of it."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        if mixer is not None:
            mixer.set_taps(())
        done = recorder.stop()
        seconds = done.frames / self._rate
        lost = f", {done.dropped_frames} frames lost" if done.dropped_frames else ""
        why = f", ended early: {done.error}" if done.error else ""
        notes = "" if self._notes is None else self._notes.write_beside(recorder.path, seconds)
        self._say("recorded", f"{recorder.path}: {seconds:.1f} s{lost}{why}{notes}")
