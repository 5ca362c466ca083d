"""Actions that may wait for a disk: presets by program change, recordings by a button.

`recall` and `record` are called in the desk's thread; files are read and written elsewhere.

Program change n, from 1 to 128 as devices show it (one more than what is sent), recalls the
preset named n, or whose name begins with that number and a blank, as in `3 chorus`, whatever bank
was selected: keyboards send banks of their own with every program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.audio.take_names import NewTake
from engine.instrument import Instrument
from engine.presets import Presets
from engine.time.quantised_actions import (
    RECALL,
    RECORD,
    Part,
    until_block,
    until_output,
    until_recorded,
)

__all__ = ["Programs", "of_program"]

Later = Callable[[Callable[[], object]], None]


def of_program(names: Sequence[str], program: int) -> str:
    """The name of the preset for a program, 1 to 128, or ""."""

    def number(name: str) -> int:
        first = name.split(" ")[0]
        return int(first) if first.isascii() and first.isdigit() else 0

    fits = [n for n in names if number(n) == program]
    return min(fits, key=lambda n: (len(n), n), default="")


class Programs:
    """Recalls presets and records.

    Parameters
    ----------
    instrument : must be playing.
    folder : the user's, with presets and recordings.
    say : called with one line for the performer.
    later : runs work that may wait for a disk, in another thread.
    """

    def __init__(
        self, instrument: Instrument, folder: Path, say: Callable[[str], None], later: Later
    ) -> None:
        self._instrument, self._say, self._later = instrument, say, later
        self._presets, self._takes = Presets(folder / "presets"), folder / "recordings"

    def recall(self, program: int) -> None:
        """Recall the preset of a program, 1 to 128, on the beat if quantised."""
        self._later(lambda: self._recall(program))

    def _recall(self, program: int) -> None:
        name = of_program(self._presets.names(), program)
        if not name:
            self._say(f"program {program}: there is no preset with that number")
            return
        values = self._presets.load(name)

        def restore(when: str = "") -> None:
            self._instrument.controls.restore(values, when)
            if when != "block":
                self._say(f"program {program}: preset {name!r}")

        # Each kind early enough to be audible on the beat.
        parts = [
            Part(lambda: restore("block"), lambda: until_block(self._instrument)),
            Part(lambda: restore("live"), lambda: until_output(self._instrument)),
        ]
        if self._instrument.settings["quantise"] == "off":
            parts = [Part(restore)]
        self._instrument.quantised_actions.at(RECALL, *parts)

    def record(self) -> None:
        """Start a recording under a new name, or end the current one, on the beat if quantised."""
        self._instrument.quantised_actions.at(
            RECORD,
            Part(lambda: self._later(self._record), lambda: until_recorded(self._instrument)),
        )

    def _record(self) -> None:
        if self._instrument.status().recording is not None:
            self._instrument.record(None)
            return
        self._instrument.record(NewTake(self._takes))
