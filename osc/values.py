"""Conversion between OSC arguments and the values of controls.

Accepted are int32 and int64, float and double, True, False and Impulse, and text that contains a
number; a choice by its index or its name; one text, or pairs of a text and its weight; pitch
classes as names or 12 weights; keys as one argument each, 0 for none. Numbers out of range are
clipped. Pure functions, any thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.controls.control import FREE, NUMERIC, Control, Value
from engine.errors import ConfigError

__all__ = [
    "Wire", "from_normalised", "from_osc", "number_of", "pressed", "text_of", "to_normalised",
    "to_osc",
]  # fmt: skip

Wire = float | int | str  # an argument that is sent
_LONGEST = 60  # characters of a value in an error message
_SEVERAL = ("text", "pitch_classes", "keys")  # kinds that take several arguments


def from_osc(control: Control, arguments: Sequence[object]) -> Value:
    """Convert arguments to a value of `control`, in its own unit, clipped to its range.

    Raises
    ------
    ConfigError
        The arguments have the wrong type, or there are too many.
    """
    if control.kind in _SEVERAL:
        return _several(control, [_plain(control.name, one) for one in arguments])
    if len(arguments) != 1:
        raise ConfigError(f"{control.name}: {len(arguments)} values; send one")
    return _one(control, arguments[0])


def _several(control: Control, arguments: list[float | int | str]) -> Value:
    if control.kind == "keys":
        return control.clip([one for one in arguments if one != 0])  # 0 stands for no key
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return control.clip(arguments[0])
    if control.kind == "text":
        if len(arguments) % 2:
            raise ConfigError(f"{control.name}: {len(arguments)} values; send {control.span()}")
        return control.clip(list(zip(arguments[::2], arguments[1::2], strict=True)))
    return control.clip(arguments)


def _one(control: Control, argument: object) -> Value:
    argument = _plain(control.name, argument)
    if isinstance(argument, str):
        if control.kind == "choice" and argument in control.choices:
            return argument
        if control.kind in ("switch", "action", "chords"):
            return control.clip(argument)
        if control.free and argument == FREE:
            return FREE
        try:
            argument = float(argument)
        except ValueError:
            raise ConfigError(_wrong(control, argument)) from None
    if math.isnan(argument):
        raise ConfigError(_wrong(control, "nan"))
    if control.kind == "choice":
        last = len(control.choices) - 1
        return control.choices[int(min(max(argument, 0), last))]
    if control.kind in ("switch", "action"):
        return argument != 0
    return control.clip(argument)


def from_normalised(control: Control, argument: object) -> Value:
    """Convert a normalised value (0..1) to a value of `control`; `free` stays `free`.

    Raises
    ------
    ConfigError
        The argument is not a number.
    """
    if control.free and argument == FREE:
        return FREE
    return control.from_position(number_of(control.name + "/norm", argument))


def to_normalised(control: Control, value: Value) -> Wire:
    """The normalised value (0..1), or the word `free`."""
    return control.to_position(value)


def to_osc(control: Control, value: Value) -> tuple[Wire, ...]:
    """Convert a value to OSC arguments: floats, ints (0 or 1 for a switch) or text."""
    if isinstance(value, tuple):
        if control.kind == "keys":
            return value or (0,)  # type: ignore[return-value]
        if control.kind == "text":
            return tuple(one for pair in value for one in pair)  # type: ignore[union-attr]
        return value  # type: ignore[return-value]
    if control.kind in ("switch", "action"):
        return (int(value),)
    return (value,)


def number_of(name: str, argument: object) -> float:
    """The number in an argument; `name` appears in the error.

    Raises
    ------
    ConfigError
        The argument is not a number.
    """
    argument = _plain(name, argument)
    try:
        number = float(argument)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"{name}: {_short(argument)} is not a number; send one")
    return number


def text_of(name: str, argument: object) -> str:
    """The text of an argument; `name` appears in the error.

    Raises
    ------
    ConfigError
        The argument is not text.
    """
    if not isinstance(argument, str):
        raise ConfigError(f"{name}: {_short(argument)} is not text; send text")
    return argument


def pressed(name: str, arguments: Sequence[object]) -> bool:
    """Whether a button was pressed: true for 1 or no argument, false for 0 (its release).

    Raises
    ------
    ConfigError
        The argument is not a number.
    """
    return not arguments or number_of(name, arguments[0]) != 0


def _plain(name: str, argument: object) -> float | int | str:
    if isinstance(argument, bool):
        return int(argument)
    if isinstance(argument, (int, float, str)):
        return argument
    raise ConfigError(f"{name}: {_short(argument)} is neither a number nor text; send one of them")


def _wrong(control: Control, argument: object) -> str:
    kind = "not a number" if control.kind in NUMERIC else "not one of its values"
    return f"{control.name}: {_short(argument)} is {kind}; enter {control.span()}"


def _short(argument: object) -> str:
    if argument is None or isinstance(argument, (bytes, list, tuple)):
        return {"NoneType": "nil", "bytes": "a blob"}.get(type(argument).__name__, "a list")
    shown = repr(argument)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."
