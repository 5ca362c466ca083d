"""Chord progressions as text, such as `C | Am7 | F G`: read, checked and written out. Pure data.

Bars are separated by `|`; the chords of a bar share its beats equally. A chord is a root, a
quality and, after a slash, a bass: `Am7`, `F#m7b5`, `C/E`. `%` repeats the chord before it, `free`
leaves its beats to the music. Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from engine.errors import ConfigError

__all__ = ["Chord", "Chords", "read_chords"]

_MOST_BARS = 256
_MOST_CHORDS = 16  # in one bar
_CHORD = re.compile(r"([A-G][#b]?)([^/\s]*)(?:/([A-G][#b]?))?")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Semitones above the root.
_QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "maj": (0, 4, 7), "M": (0, 4, 7), "m": (0, 3, 7), "min": (0, 3, 7),
    "-": (0, 3, 7), "5": (0, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "69": (0, 2, 4, 7, 9),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10),
    "min7": (0, 3, 7, 10), "-7": (0, 3, 7, 10), "mmaj7": (0, 3, 7, 11), "mM7": (0, 3, 7, 11),
    "9": (0, 2, 4, 7, 10), "maj9": (0, 2, 4, 7, 11), "m9": (0, 2, 3, 7, 10),
    "add9": (0, 2, 4, 7), "madd9": (0, 2, 3, 7), "11": (0, 2, 5, 7, 10), "m11": (0, 2, 3, 5, 7, 10),
    "13": (0, 2, 4, 7, 9, 10), "maj13": (0, 2, 4, 7, 9, 11), "7b9": (0, 1, 4, 7, 10),
    "7#9": (0, 3, 4, 7, 10), "7#11": (0, 4, 6, 7, 10), "7b5": (0, 4, 6, 10),
    "7#5": (0, 4, 8, 10), "dim": (0, 3, 6), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8), "+": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7), "sus": (0, 5, 7),
    "7sus4": (0, 5, 7, 10), "7sus": (0, 5, 7, 10),
}  # fmt: skip


@dataclass(frozen=True)
class Chord:
    """Pitch classes (C is 0) and the bass; without pitch classes the music is free."""

    classes: frozenset[int] = frozenset()
    bass: int | None = None


@dataclass(frozen=True)
class Chords:
    """A progression: the chords of each bar, and its normalised text."""

    bars: tuple[tuple[Chord, ...], ...]
    text: str

    def beats(self, count: int, per_bar: int = 4) -> tuple[Chord, ...]:
        """The chord on each of the first `count` beats; the progression repeats."""
        whole = [
            bar[beat * len(bar) // per_bar] for bar in self.bars for beat in range(per_bar)
        ]  # fmt: skip
        return tuple(whole[i % len(whole)] for i in range(count))


@lru_cache(maxsize=64)
def read_chords(what: str, text: str) -> Chords:
    """Read a progression; `what` is the name of the control, for errors.

    Raises
    ------
    ConfigError
        A bar has no chord, a chord is unknown, or there are too many.
    """
    bars: list[tuple[Chord, ...]] = []
    written: list[str] = []
    last = Chord()
    parts = text.strip().strip("|").split("|")
    if len(parts) > _MOST_BARS:
        raise ConfigError(f"{what}: {len(parts)} bars; enter {_MOST_BARS} at most")
    for number, part in enumerate(parts, 1):
        words = part.replace("♯", "#").replace("♭", "b").split()
        if not words:
            raise ConfigError(
                f"{what}: bar {number} of {text[:80]!r} has no chord; enter one, % to repeat the "
                "chord before, or free"
            )
        if len(words) > _MOST_CHORDS:
            raise ConfigError(
                f"{what}: bar {number} has {len(words)} chords; enter {_MOST_CHORDS} at most"
            )
        bar: list[Chord] = []
        for word in words:
            last = last if word == "%" else _chord(what, word)
            bar.append(last)
        bars.append(tuple(bar))
        written.append(" ".join(words))
    return Chords(tuple(bars), " | ".join(written))


def _chord(what: str, word: str) -> Chord:
    if word.lower() == "free":
        return Chord()
    match = _CHORD.fullmatch(word)
    if match is None or match[2] not in _QUALITIES:
        raise ConfigError(
            f"{what}: {word[:40]!r} is not a chord; enter names such as C, Am7, F#m7b5 or C/E"
        )
    root = _class(match[1])
    bass = root if match[3] is None else _class(match[3])
    classes = frozenset((root + step) % 12 for step in _QUALITIES[match[2]]) | {bass}
    return Chord(classes, bass)


def _class(name: str) -> int:
    return (_STEPS[name[0]] + {"#": 1, "b": -1}.get(name[1:], 0)) % 12
