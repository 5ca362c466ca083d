"""Values: what comes in over OSC as a control takes it, what a control holds as OSC sends it.

In: int32 and int64, float and double, True, False and Impulse, and text with a number in it, each
where it makes sense; a choice by its index or its name. Numbers out of range are brought into it.
Between a control and its twin from 0 to 1 stands `engine/norm.py`. Pure functions, any thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine import norm
from engine.errors import ConfigError
from engine.norm import to_norm
from engine.params import FREE, Param, Value

__all__ = ["Wire", "from_norm", "from_osc", "number_of", "pressed", "text_of", "to_norm", "to_osc"]

Wire = float | int | str  # what is sent
_LONGEST = 60  # characters of a value in a message to people


def from_osc(param: Param, argument: object) -> Value:
    """`argument` as `param` holds it, in its own units, brought into range.

    Raises
    ------
    ConfigError
        When it is neither a number nor a word that the control knows.
    """
    argument = _plain(param.name, argument)
    if isinstance(argument, str):
        if param.kind == "choice" and argument in param.choices:
            return argument
        if param.kind == "bool" and argument.lower() in ("on", "off", "true", "false"):
            return param.clip(argument)
        if param.free and argument == FREE:
            return FREE
        try:
            argument = float(argument)
        except ValueError:
            raise ConfigError(_wrong(param, argument)) from None
    if math.isnan(argument):
        raise ConfigError(_wrong(param, "nan"))
    if param.kind == "choice":
        last = len(param.choices) - 1
        return param.choices[int(min(max(argument, 0), last))]
    if param.kind == "bool":
        return argument != 0
    return param.clip(argument)


def from_norm(param: Param, argument: object) -> Value:
    """A value from 0 to 1 as `param` holds it; `free` stays what it is.

    Raises
    ------
    ConfigError
        When it is no number.
    """
    if param.free and argument == FREE:
        return FREE
    return norm.from_norm(param, number_of(param.name + "/norm", argument))


def to_osc(param: Param, value: Value) -> Wire:
    """`value` as it is sent: a float, an int (0 or 1 for a switch) or a word."""
    return int(value) if param.kind == "bool" else value


def number_of(name: str, argument: object) -> float:
    """The number in an argument; `name` is for the error.

    Raises
    ------
    ConfigError
        When there is none.
    """
    argument = _plain(name, argument)
    try:
        number = float(argument)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ConfigError(f"{name}: {_short(argument)} is not a number")
    return number


def text_of(name: str, argument: object) -> str:
    """The text in an argument; `name` is for the error.

    Raises
    ------
    ConfigError
        When it is no text.
    """
    if not isinstance(argument, str):
        raise ConfigError(f"{name}: {_short(argument)} is not text")
    return argument


def pressed(name: str, arguments: Sequence[object]) -> bool:
    """Whether a button was pressed: 1 or nothing is yes, 0 (its release) is no.

    Raises
    ------
    ConfigError
        When the argument is no number.
    """
    return not arguments or number_of(name, arguments[0]) != 0


def _plain(name: str, argument: object) -> float | int | str:
    if isinstance(argument, bool):
        return int(argument)
    if isinstance(argument, (int, float, str)):
        return argument
    raise ConfigError(f"{name}: {_short(argument)} is neither a number nor text")


def _wrong(param: Param, argument: object) -> str:
    kind = "unknown" if param.kind == "choice" else "not a number"
    return f"{param.name}: {_short(argument)} is {kind}; give {param.span()}"


def _short(argument: object) -> str:
    if argument is None or isinstance(argument, (bytes, list, tuple)):
        return {"NoneType": "nil", "bytes": "a blob"}.get(type(argument).__name__, "a list")
    shown = repr(argument)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."
