"""A control: its kind, its range, and how values are validated.

Every control of the engine, of a pack and of a plugin is a `Control`. A *live* control is applied
within the output latency; a *block* control from the next block on. Pure data: any thread, any
process; standard library only, because the command line uses it.

    kind            value
    number          float, in `unit`s
    whole           int, in `unit`s
    switch          bool
    choice          str, one of `choices`
    action          bool: True from the press until a block has applied it
    text            str, or several texts with weights: ((text, weight), ...)
    pitch_classes   12 weights from 0 to 1, from C
    chords          str, a chord progression such as 'C | Am7 | F G'
    keys            MIDI pitches in order, such as (60, 64, 67)

A `free` control can be left to the music: then its value is the word `free` (for text the empty
text, for keys no keys).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias, get_args

from engine.controls.chords import read_chords
from engine.errors import ConfigError
from engine.notes.note_names import pitch, pitch_classes
from engine.scalars import number_of, plain, shown
from engine.text_files import composed

__all__ = [
    "FREE",
    "KINDS",
    "MOST_PROMPTS",
    "NUMERIC",
    "PITCH_CLASSES",
    "Control",
    "Kind",
    "Value",
    "When",
    "as_number",
]  # fmt: skip

Kind = Literal[
    "number", "whole", "switch", "choice", "action", "text", "pitch_classes", "chords", "keys"
]
When = Literal["live", "block"]
Value: TypeAlias = (
    float | int | str | bool | tuple[float, ...] | tuple[int, ...] | tuple[tuple[str, float], ...]
)

KINDS: tuple[Kind, ...] = get_args(Kind)
NUMERIC = ("number", "whole")
FREE = "free"  # the value of a control that is left to the music
PITCH_CLASSES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a",
                 "a_sharp", "b")  # fmt: skip
MOST_PROMPTS = 8  # texts of one control, with weights
_LONGEST_TEXT = 2000  # characters
_SHOWN_CHOICES = 24


@dataclass(frozen=True)
class Control:
    """One control.

    Attributes
    ----------
    name : the full name, such as `gain`, `pack/density` or `chain/2/mix`; the same in OSC, MIDI,
        presets and Python.
    kind : see the module docstring.
    default : its initial value.
    low, high : bounds in `unit`s, of numbers; the lowest and highest key, of keys.
    choices : the names of a choice, in the order of their indices.
    free : whether it can be left to the music.
    group : the group in which it is shown.
    about : one sentence for the performer.
    in_presets : whether presets contain it.
    transport : whether it starts or stops the music; undo does not change it.
    graph_input : the input of the context graphs that receives it (engine/controls/encoding.py).
    encoding : of a choice, `number` or `one-hot`.
    codes : of a choice encoded as a number, the number of each choice.
    length : of chords, the beats of the progression that the graph reads.
    part_of, index : for one number of a control with several, the full name of that control and the
        position; faders and knobs move such parts.
    """

    name: str
    kind: Kind
    default: Value
    when: When
    about: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    choices: tuple[str, ...] = ()
    free: bool = False
    group: str = "output"
    in_presets: bool = True
    transport: bool = False
    graph_input: str = ""
    encoding: str = "number"
    codes: tuple[float, ...] = ()
    length: int = 0
    part_of: str = ""
    index: int = 0

    @property
    def short(self) -> str:
        """The last part of the name, such as `density`."""
        return self.name.rpartition("/")[2]

    @property
    def pack(self) -> bool:
        """Whether it is a control of the pack."""
        return self.name.startswith("pack/")

    @property
    def parts(self) -> tuple[Control, ...]:
        """Its numbers, each as a separate control; only for pitch classes."""
        if self.kind != "pitch_classes":
            return ()
        return tuple(
            Control(
                f"{self.name}/{name}", "number", 0.0, self.when,
                f"Weight of {name[0].upper()}{'#' if len(name) > 1 else ''} in {self.short}.",
                group=self.group, in_presets=False, part_of=self.name, index=i,
            )
            for i, name in enumerate(PITCH_CLASSES)
        )  # fmt: skip

    # ------------------------------------------------------------------ values

    def clip(self, value: object) -> Value:
        """`value` as a value of this control; numbers are clipped to the range.

        Raises
        ------
        ConfigError
            The value is not of the control's kind.
        """
        return _READ[self.kind](self, plain(value))

    def check(self, value: object) -> Value:
        """Like `clip`, but a number out of range is an error, for options that a user enters.

        Raises
        ------
        ConfigError
            The value is not of the control's kind, or out of range.
        """
        clipped = self.clip(value)
        if self.kind in NUMERIC and clipped != FREE:
            number = float(plain(value))  # type: ignore[arg-type]
            if not self.low <= number <= self.high:
                raise ConfigError(
                    f"{self.name}: {shown(value)} is out of range; enter {self.span()}"
                )
            if self.kind == "whole" and number != clipped:
                raise ConfigError(
                    f"{self.name}: {shown(value)} is not a whole number; enter {self.span()}"
                )
        return clipped

    def span(self) -> str:
        """A description of the valid values."""
        free = f", or {FREE}" if self.free else ""
        if self.kind == "choice":
            more = ", ..." if len(self.choices) > _SHOWN_CHOICES else ""
            return "one of " + ", ".join(self.choices[:_SHOWN_CHOICES]) + more
        if self.kind in NUMERIC:
            form = ".0f" if self.kind == "whole" else "g"
            unit = f" {self.unit}" if self.unit else ""
            return f"{self.low:{form}} to {self.high:{form}}{unit}{free}"
        if self.kind == "keys":
            return f"keys from {self.low:.0f} to {self.high:.0f}, as numbers or names such as C4"
        return {
            "switch": "on or off",
            "action": "1 to press it",
            "text": "text, or pairs of a text and its weight",
            "pitch_classes": f"names of notes such as 'C E G', or 12 weights from 0 to 1{free}",
            "chords": f"chords by bar, such as 'C | Am7 | F G'{free}",
        }[self.kind]

    # ------------------------------------------------------------------ between value and 0..1

    @property
    def has_position(self) -> bool:
        """Whether a knob or a fader can show it: it has a position from 0 to 1."""
        return self.kind in (*NUMERIC, "switch", "choice", "action")

    def from_position(self, position: float) -> Value:
        """The value at a position from 0 to 1: linear in the range; of a choice, by its index."""
        position = min(max(position, 0.0), 1.0)
        if self.kind == "choice":
            return self.choices[round(position * (len(self.choices) - 1))]
        if self.kind in ("switch", "action"):
            return position >= 0.5
        return self.clip(self.low + position * (self.high - self.low))

    def to_position(self, value: Value) -> float | str:
        """The position of a value from 0 to 1, or the word `free`."""
        if self.kind == "choice":
            return self.choices.index(str(value)) / max(1, len(self.choices) - 1)
        if self.free and value == FREE:
            return FREE
        if isinstance(value, (str, tuple)):
            raise ConfigError(f"{self.name}: {shown(value)} has no position from 0 to 1")
        if self.kind in ("switch", "action"):
            return float(value)
        return (float(value) - self.low) / (self.high - self.low)


def as_number(value: Value) -> float:
    """The value of a numeric control or of a switch.

    Raises
    ------
    ConfigError
        It is not a number, such as `free`.
    """
    if isinstance(value, (str, tuple)):
        raise ConfigError(f"{shown(value)} is not a number")
    return float(value)


# ---------------------------------------------------------------------------- one reader per kind


def _wrong(control: Control, value: object, what: str) -> ConfigError:
    return ConfigError(f"{control.name}: {shown(value)} {what}; enter {control.span()}")


def _number(control: Control, value: object) -> Value:
    if control.free and isinstance(value, str) and value == FREE:
        return FREE
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    except OverflowError:
        number = math.inf if value > 0 else -math.inf  # type: ignore[operator]
    if math.isnan(number):
        raise _wrong(control, value, "is not a number")
    number = min(max(number, control.low), control.high)
    return round(number) if control.kind == "whole" else number


def _choice(control: Control, value: object) -> Value:
    if isinstance(value, str) and value in control.choices:
        return value
    if isinstance(value, (int, float)) and 0 <= value < len(control.choices):
        return control.choices[int(value)]
    raise _wrong(control, value, "is not one of its choices")


def _switch(control: Control, value: object) -> Value:
    words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if isinstance(value, (bool, int, float)) and value == value:  # not NaN
        return bool(value)
    raise _wrong(control, value, "is neither on nor off")


def _text(control: Control, value: object) -> Value:
    if isinstance(value, str):
        return _line(control, value)
    pairs: list[tuple[str, float]] = []
    for pair in _each(control, value):
        texts = list(_each(control, pair)) if not isinstance(pair, str) else []
        if len(texts) != 2 or not isinstance(texts[0], str):
            raise _wrong(control, value, "is not pairs of a text and its weight")
        weight = number_of(texts[1])
        if not 0 <= weight < math.inf:
            raise _wrong(control, texts[1], "is not a weight of 0 or more")
        if weight > 0:
            pairs.append((_line(control, texts[0]), weight))
    if len(pairs) > MOST_PROMPTS:
        raise ConfigError(f"{control.name}: {len(pairs)} texts; enter {MOST_PROMPTS} at most")
    if len(pairs) == 1:
        return pairs[0][0]
    return tuple(pairs) if pairs else ""


def _line(control: Control, text: str) -> str:
    line = " ".join(composed(text).split())
    if len(line) > _LONGEST_TEXT:
        raise ConfigError(
            f"{control.name}: the text has {len(line)} characters; enter {_LONGEST_TEXT} at most"
        )
    if not all(c.isprintable() or c in "\u200c\u200d" for c in line):
        raise _wrong(control, text, "has characters that cannot be printed")
    return line


def _pitch_classes(control: Control, value: object) -> Value:
    weights = _weights(control, value)
    return weights if any(weights) or not control.free else FREE


def _weights(control: Control, value: object) -> tuple[float, ...]:
    if isinstance(value, str):
        free = control.free and value == FREE
        return pitch_classes(control.name, "" if free else value)
    if isinstance(value, Mapping):
        raise _wrong(control, value, "is not a set of pitch classes")
    each = list(_each(control, value))
    if not each or any(isinstance(one, str) for one in each):
        return pitch_classes(control.name, each)
    numbers = [number_of(one) for one in each]
    if len(numbers) != 12 or any(math.isnan(n) for n in numbers):
        raise _wrong(control, value, "is not 12 weights")
    return tuple(min(max(n, 0.0), 1.0) for n in numbers)


def _chords(control: Control, value: object) -> Value:
    if not isinstance(value, str):
        raise _wrong(control, value, "is not a chord progression")
    line = _line(control, value)
    if control.free and line in ("", FREE):
        return FREE
    return read_chords(control.name, line).text


def _keys(control: Control, value: object) -> Value:
    if isinstance(value, str):
        value = () if value == FREE else value.replace(",", " ").split()
    single = not math.isnan(number_of(value)) or isinstance(value, (bool, bytes))
    each: Iterable[object] = (value,) if single else _each(control, value)
    return tuple(sorted({_key(control, key) for key in each}))


def _key(control: Control, key: object) -> int:
    number = pitch(key) if isinstance(key, str) else number_of(key)
    if isinstance(key, str) and number is None and key.isdecimal():
        number = float(key)
    if number is None or not control.low <= number <= control.high:
        raise ConfigError(
            f"{control.name}: key {shown(key)} cannot be used; enter {control.span()}"
        )
    if number != int(number):
        raise ConfigError(
            f"{control.name}: key {shown(key)} is not a whole number; enter {control.span()}"
        )
    return int(number)


def _each(control: Control, values: object) -> Iterable[object]:
    """The values of an iterable, which may be endless."""
    try:
        return list(islice(iter(values), 1024))  # type: ignore[call-overload]
    except TypeError:
        raise _wrong(control, values, "cannot be used") from None


_READ: Mapping[str, Any] = {
    "number": _number, "whole": _number, "switch": _switch, "choice": _choice, "action": _switch,
    "text": _text, "pitch_classes": _pitch_classes, "chords": _chords, "keys": _keys,
}  # fmt: skip
