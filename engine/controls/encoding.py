"""Controls as the inputs of context graphs: one encoding per kind. Pure functions.

A free control is all zeros, as in training when the control is dropped.

    number, whole   [2]       the value in its unit, and 1
    switch          [2]       0 or 1, and 1
    choice          [2]       the number of the choice, and 1 (encoding `number`)
                    [n]       1 at the choice (encoding `one-hot`; `free` is not among the n)
    action          [1]       1 in the block after it is pressed
    pitch_classes   [13]      12 weights, C first, and 1
    chords          [n, 25]   for each beat 12 pitch classes, 12 for the bass, and 1
    keys            [n]       1 for each key that is held, the lowest key first

A text is encoded by its encoder (engine/stages/prompts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.controls.chords import read_chords
from engine.controls.control import FREE, Control, Value
from engine.errors import ConfigError

__all__ = ["any_set", "encode", "shape_of"]

Array = NDArray[np.float32]
_CHORD = 25  # rows of one beat


def shape_of(control: Control) -> tuple[int, ...]:
    """The shape of the array that `encode` returns.

    Raises
    ------
    ConfigError
        The control is a text, which only an encoder can encode.
    """
    if control.kind == "text":
        raise ConfigError(f"{control.name}: a text needs an encoder; add one to the pack")
    if control.kind == "choice" and control.encoding == "one-hot":
        return (len(control.choices) - control.free,)
    if control.kind == "chords":
        return (control.length, _CHORD)
    if control.kind == "keys":
        return (int(control.high) - int(control.low) + 1,)
    return ({"action": 1, "pitch_classes": 13}.get(control.kind, 2),)


def encode(control: Control, value: Value, *, free: bool = False) -> Array:
    """A control as the float32 input of a context graph.

    Parameters
    ----------
    value : a value of the control, possibly from JSON.
    free : encode the control as free, if it can be.

    Raises
    ------
    ConfigError
        The value is not valid for the control, or the control is a text.
    """
    array = np.zeros(shape_of(control), np.float32)
    value = control.clip(value)
    if value == FREE or (free and control.free):
        return array
    if control.kind == "chords":
        _write_chords(array, control, str(value))
    elif isinstance(value, tuple):
        if control.kind == "keys":
            array[[int(key) - int(control.low) for key in value]] = 1  # type: ignore[arg-type]
        else:
            array[:] = (*value, 1.0)
    elif control.kind == "choice":
        _write_choice(array, control, str(value))
    elif control.kind == "action":
        array[0] = float(value)
    else:
        array[:] = float(value), 1.0
    return array


def any_set(controls: Iterable[Control], values: Mapping[str, Value]) -> bool:
    """Whether any control that can be free has a value.

    Parameters
    ----------
    values : by the controls' short names; missing ones have their defaults.
    """
    for control in controls:
        if not control.free:
            continue
        value = values.get(control.short, control.default)
        if control.kind == "text":
            if control.clip(value) != "":
                return True
        elif encode(control, value).any():
            return True
    return False


def _write_choice(array: Array, control: Control, value: str) -> None:
    index = control.choices.index(value)
    if control.encoding == "one-hot":
        array[index - control.free] = 1  # `free` is the first choice, if there is one
    else:
        array[:] = (control.codes[index] if control.codes else float(index)), 1.0


def _write_chords(array: Array, control: Control, value: str) -> None:
    for row, chord in zip(array, read_chords(control.name, value).beats(len(array)), strict=True):
        if chord.bass is not None:
            row[[*chord.classes, 12 + chord.bass, 24]] = 1
