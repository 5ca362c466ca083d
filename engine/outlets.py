"""Where sound, notes and blocks go beside the output: listeners, and takes.

They belong to the instrument and stay while it starts and stops playing. Any thread adds and
removes listeners; `engine/audio/takes.py` says who may call what of the takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engine.audio.mixer import Block, Mixer
from engine.audio.take_names import NewTake, path_of
from engine.audio.takes import Takes
from engine.listeners import Listeners
from engine.notes.note import NoteEvent
from engine.stream.made import BlockListeners
from engine.time.clock import Clock

__all__ = ["Outlets"]


class Outlets:
    """The outlets of one instrument.

    Parameters
    ----------
    say : called with (kind, text) for what a performer should know.
    failed : called with one line when a listener raises.
    clock : of the takes.

    Attributes
    ----------
    blocks, notes, taps : the listeners.
    takes : what is recorded.
    """

    def __init__(
        self, say: Callable[[str, str], None], failed: Callable[[str], None], clock: Clock
    ) -> None:
        self.blocks = BlockListeners(failed)
        self.notes: Listeners[NoteEvent] = Listeners("notes", failed)
        self.taps: Listeners[Block] = Listeners("sound", failed)
        self.takes = Takes(say, clock)
        self._recording = threading.Lock()

    def attach(self, mixer: Mixer) -> None:
        """Send what this mixer sends to the output to the takes and the taps."""
        mixer.set_taps((*self.takes.taps, self.taps))

    def record(self, mixer: Mixer, to: Path | NewTake | None, seed: int) -> Path | None:
        """End the take, if there is one, and begin another one unless `to` is None.

        Returns the file of the take that goes on, if one does.

        Raises
        ------
        StorageError
            When the file cannot be written.
        ConfigError
            There is a file of the new take's name.
        """
        # A lock of its own: a slow disk holds up the next take, and nothing else.
        with self._recording:
            path = None if to is None else path_of(to, seed)  # before the take that runs is ended
            if self.takes.path is not None:
                # Not tapped any more before it ends, so that nothing of it counts as lost.
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
