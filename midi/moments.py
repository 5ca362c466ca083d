"""Actions that return to moments of the music, each pressed by a controller.

Called in the desk's thread; files are read and written elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.instrument import Instrument
from engine.snapshots import Snapshots

__all__ = ["Moments"]

Later = Callable[[Callable[[], object]], None]


class Moments:
    """The actions.

    Parameters
    ----------
    instrument : playing.
    folder : of the snapshots.
    say : called with one line for the performer.
    later : carries out what may wait for a disk, elsewhere.
    """

    def __init__(
        self, instrument: Instrument, folder: Path, say: Callable[[str], None], later: Later
    ) -> None:
        self._instrument, self._say, self._later = instrument, say, later
        self._snapshots = Snapshots(folder)

    def actions(self) -> Mapping[str, Callable[[], object]]:
        """What each name of midi.mapping.ACTIONS does."""
        instrument = self._instrument
        return {
            "snapshot/take": self._take, "snapshot/recall": lambda: self._later(self._recall_last),
            "go_back/beats": lambda: instrument.go_back(beats=1),
            "go_back/bars": lambda: instrument.go_back(beats=instrument.settings.number("beats")),
            "go_back/blocks": lambda: instrument.go_back(blocks=1), "fork": self._fork,
        }  # fmt: skip

    def _take(self) -> None:
        snapshot = self._instrument.take_snapshot()
        self._later(lambda: self._say(f"snapshot {self._snapshots.save(snapshot)!r} taken"))

    def _recall_last(self) -> None:
        name, snapshot = self._snapshots.load()
        left = self._instrument.recall(snapshot)
        self._say(f"snapshot {name!r}" + (f" in {left:.1f} s" if left else ""))

    def _fork(self) -> None:
        self._say(f"forked with seed {self._instrument.fork()}")
