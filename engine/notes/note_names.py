"""Names of notes as numbers: `C E G` as pitch classes, `C4` as a key. Pure functions, any thread.

Standard library only, because the command line uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.errors import ConfigError
from engine.scalars import shown

__all__ = ["pitch", "pitch_classes"]

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-G])([#♯b♭]?)(-?\d)?", re.IGNORECASE | re.ASCII)


def pitch(name: str) -> int | None:
    """The MIDI number of a key such as `C4` (middle C, 60), `F#3` or `Bb5`; None for other text."""
    match = _NAME.fullmatch(name)
    if match is None or match[3] is None:
        return None
    return _class(match) + 12 * (int(match[3]) + 1)


def pitch_classes(what: str, names: str | Iterable[object]) -> tuple[float, ...]:
    """Twelve weights from C: 1 for each named note, 0 for the others.

    Parameters
    ----------
    what : the name of the control, for errors.
    names : note names, as one text (`C E G`, `C, F#, Bb`) or several.

    Raises
    ------
    ConfigError
        A word is not the name of a note.
    """
    weights = [0.0] * 12
    for word in names.replace(",", " ").split() if isinstance(names, str) else names:
        match = _NAME.fullmatch(word) if isinstance(word, str) else None
        if match is None or match[3] is not None:
            raise ConfigError(
                f"{what}: {shown(word)} is not a note; enter names such as C, F# or Bb, as in "
                "'C E G'"
            )
        weights[_class(match) % 12] = 1.0
    return tuple(weights)


def _class(match: re.Match[str]) -> int:
    """Semitones above C."""
    accidental = {"": 0, "#": 1, "♯": 1}.get(match[2], -1)
    return _STEPS[match[1].upper()] + accidental
