"""Controls as a stage's context graph hears them: arrays of values, the last one 1 where given.

A control left free is all zeros, as it was in training when it was dropped. Pure functions.

    harmony     [13]  how much each pitch class is wanted, 0..1, C first
    register    [2]   mean MIDI pitch of what is struck
    density     [2]   onsets a second
    loudness    [2]   mean velocity, 1..127
    style       [2]   -1 classical, 1 pop
    held        [88]  1 for every key that is held down, A0 first
    instrument, room, brightness  [2]  as engine/params.py has them
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.params import HARMONY, Value
from engine.signal.roll import LOWEST, PITCHES

__all__ = ["any_given", "heard", "needed"]

Array = NDArray[np.float32]
_STYLES = {"classical": -1.0, "pop": 1.0}
_NEVER_FREE = ("instrument", "room", "brightness")


def needed(controls: Iterable[str]) -> tuple[str, ...]:
    """Names of the parameters that a pack's `controls` are made from."""
    names: list[str] = []
    for control in controls:
        names += HARMONY if control == "harmony" else () if control == "held" else (control,)
    return tuple(names)


def heard(
    controls: Iterable[str], values: Mapping[str, Value], held: Iterable[int], *, free: bool = False
) -> dict[str, Array]:
    """Arrays for the named controls; with `free`, as if everything that can be were left free."""
    return {c: _one(c, values, () if free else tuple(held), free) for c in controls}


def any_given(controls: Iterable[str], values: Mapping[str, Value], held: Iterable[int]) -> bool:
    """Whether anything is asked for that could have been left free."""
    arrays = heard((c for c in controls if c not in _NEVER_FREE), values, held)
    return any(a.any() for a in arrays.values())


def _one(control: str, values: Mapping[str, Value], held: tuple[int, ...], free: bool) -> Array:
    if control == "held":
        keys = np.zeros(PITCHES, np.float32)
        keys[[p - LOWEST for p in held if 0 <= p - LOWEST < PITCHES]] = 1
        return keys
    if control == "harmony":
        wanted = np.array([float(values.get(name, 0.0)) for name in HARMONY], np.float32)
        given = 0.0 if free or not wanted.any() else 1.0
        return np.append(wanted, np.float32(1)) * np.float32(given)
    value = values.get(control, "free")
    if value == "free" or (free and control not in _NEVER_FREE):
        return np.zeros(2, np.float32)
    number = _STYLES[str(value)] if control == "style" else float(value)
    return np.array([number, 1], np.float32)
