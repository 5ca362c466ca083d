"""Names of notes as numbers: `C E G` as pitch classes, `C4` as a key. Pure functions, any thread.

Standard library and `engine.params` only, as the command line reads its options with them.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable

from engine.errors import ConfigError
from engine.params import FREE, HARMONY, Value

__all__ = ["harmony", "pitch"]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-G])([#♯b♭]?)(-?\d)?", re.IGNORECASE | re.ASCII)


def pitch(name: str) -> int | None:
    """The MIDI number of a key such as `C4` (middle C, 60), `F#3` or `Bb5`; None for other text."""
    match = _NAME.fullmatch(name)
    if match is None or match[3] is None:
        return None
    return _class(match) + 12 * (int(match[3]) + 1)


def harmony(names: object) -> dict[str, Value]:
    """The twelve controls of harmony: 1 for each note that is named, 0 for the others.

    Parameters
    ----------
    names : names of notes, as one text (`C E G`, `C, F#, Bb`) or as several; `free` or nothing
        leaves the harmony to the music.

    Raises
    ------
    ConfigError
        For what is no name of a note.
    """
    values: dict[str, Value] = dict.fromkeys(HARMONY, 0.0)
    if isinstance(names, str) and names == FREE:
        return values
    for word in _words(names):
        match = _NAME.fullmatch(word) if isinstance(word, str) else None
        if match is None or match[3] is not None:
            shown = " ".join(reprlib.repr(word).split())
            raise ConfigError(
                f"harmony: {shown} is no note; use names such as C, F# or Bb, as in 'C E G'"
            )
        values[HARMONY[_class(match) % 12]] = 1.0
    return values


def _words(names: object) -> Iterable[object]:
    if isinstance(names, str):
        return names.replace(",", " ").split()
    if isinstance(names, (list, tuple, set, frozenset)):
        return names  # type: ignore[return-value]
    return (names,)


def _class(match: re.Match[str]) -> int:
    """Half tones above C."""
    bend = {"": 0, "#": 1, "♯": 1}.get(match[2], -1)
    return _STEPS[match[1].upper()] + bend
