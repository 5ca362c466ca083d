"""Where sound, notes and blocks go besides the output: listeners and recordings.

They belong to the instrument and outlive playing. Any thread adds and removes listeners; for
recordings see `engine/audio/takes.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engine.arguments import AnyPath, checked_path
from engine.audio.mixer import Block, Mixer
from engine.audio.take_names import NewTake, path_of
from engine.audio.takes import Takes
from engine.listeners import Listeners
from engine.notes.note import NoteEvent
from engine.stream.block_events import BlockListeners
from engine.time.clock import Clock

__all__ = ["Outlets", "checked_take"]


def checked_take(to: AnyPath | NewTake | None) -> Path | NewTake | None:
    """Where a take goes, as a path where it is one.

    Raises
    ------
    ConfigError
        It is no path.
    """
    return to if to is None or isinstance(to, NewTake) else checked_path("take", to)


class Outlets:
    """The outlets of one instrument.

    Parameters
    ----------
    on_event : called with (kind, text) for the performer.
    on_listener_error : called with one line when a listener raises.
    clock : of the takes.

    Attributes
    ----------
    blocks, notes, taps : the listeners.
    takes : the recordings.
    """

    def __init__(
        self,
        on_event: Callable[[str, str], None],
        on_listener_error: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self.blocks = BlockListeners(on_listener_error)
        self.notes: Listeners[NoteEvent] = Listeners("notes", on_listener_error)
        self.taps: Listeners[Block] = Listeners("sound", on_listener_error)
        self.takes = Takes(on_event, clock)
        self._recording = threading.Lock()

    def attach(self, mixer: Mixer) -> None:
        """Send the output of this mixer to the takes and the taps."""
        mixer.set_taps((*self.takes.taps, self.taps))

    def record(self, mixer: Mixer, to: Path | NewTake | None, seed: int) -> Path | None:
        """End the take, if there is one, and start another one unless `to` is None.

        Returns the file of the present take, if any.

        Raises
        ------
        StorageError
            The file cannot be written.
        ConfigError
            A file with the name of the new take exists.
        """
        # A separate lock: a slow disk delays the next take only.
        with self._recording:
            path = None if to is None else path_of(to, seed)  # before the present take ends
            if self.takes.path is not None:
                # Untap it before it ends, so that it counts no lost frames.
                mixer.set_taps((self.taps,))
            self.takes.end()
            try:
                if path is not None:
                    self.takes.begin(path)
            finally:
                self.attach(mixer)
            return self.takes.path

    @property
    def errors(self) -> int:
        """How often a listener raised."""
        return self.notes.errors + self.blocks.listeners.errors + self.taps.errors
