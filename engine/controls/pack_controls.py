"""The controls of a pack: `[[control]]` of format 3, and the fixed controls of formats 1 and 2.

Pure data: any thread, any process. The rows of `CONTROL_FIELDS` are documented in docs/packs.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.controls.control import FREE, KINDS, NUMERIC, Control, Value
from engine.errors import ConfigError, PackError
from engine.fields import Field, read_table
from engine.scalars import shown

__all__ = ["CONTROL_FIELDS", "EARLIER_CONTROLS", "earlier_controls", "read_controls"]

_MOST = 64  # controls of a pack
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = ("norm", "pending")  # parts of OSC addresses
_LONGEST = 400  # characters of a sentence
_LONGEST_WORD = 40
_MOST_CHOICES = 128
_MOST_BEATS = 1024

CONTROL_FIELDS: tuple[Field, ...] = (
    Field("name", str, "lower-case letters, digits and _; the full name is pack/NAME"),
    Field("kind", str, "kind of its values", choices=KINDS),
    Field("about", str, "one sentence for the performer"),
    Field("default", object, "its initial value; free: left to the music", default=None,
          required=False),
    Field("range", list, "of numbers: lowest and highest value; of keys: lowest and highest key",
          default=(), required=False),
    Field("unit", str, "of numbers, such as notes/s", default="", required=False),
    Field("choices", list, "of a choice: its names; free need not be among them", default=(),
          required=False),
    Field("codes", list, "of a choice encoded as a number: the number of each choice", default=(),
          required=False),
    Field("encoding", str, "of a choice: the number of the choice, or one-hot",
          choices=("number", "one-hot"), default="number", required=False),
    Field("free", bool, "whether it can be left to the music; implied by the default free",
          default=False, required=False),
    Field("length", int, "of chords: beats that the graph reads", 1, _MOST_BEATS, default=16,
          required=False),
    Field("group", str, "the group in which it is shown", default="pack", required=False),
    Field("graph_input", str, "input of the context graphs that receives it; empty: its name",
          default="", required=False),
    Field("presets", bool, "whether presets contain it", default=True, required=False),
)  # fmt: skip

_DEFAULTS: Mapping[str, Value] = {
    "switch": False, "action": False, "text": "", "pitch_classes": FREE, "chords": FREE, "keys": (),
}  # fmt: skip
_ALWAYS_FREE = ("text", "keys")  # the empty text and no keys mean free


def read_controls(where: str, tables: Sequence[Mapping[str, Any]]) -> tuple[Control, ...]:
    """The controls of `[[control]]`.

    Parameters
    ----------
    where : the file, for messages.

    Raises
    ------
    PackError
        A field of a control is wrong; the message is one line.
    """
    if len(tables) > _MOST:
        raise PackError(f"{where}: {len(tables)} controls; use {_MOST} at most")
    controls = tuple(_control(where, table) for table in tables)
    names = [control.name for control in controls]
    for name in names:
        if names.count(name) > 1:
            raise PackError(f"{where}: two controls named {name.partition('/')[2]!r}; rename one")
    return controls


def _control(where: str, table: Mapping[str, Any]) -> Control:
    row = read_table(where, "control", CONTROL_FIELDS, table)
    name, kind = row["name"], row["kind"]
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise PackError(
            f"{where}: control.name is {shown(name)}; use up to 40 lower-case letters, digits and "
            f"_, beginning with a letter, and not {' or '.join(_RESERVED)}"
        )
    what = f"{where}: control {name!r}"
    for field in ("unit", "group", "graph_input"):
        if len(row[field]) > _LONGEST_WORD or not row[field].isprintable():
            raise PackError(f"{what}: {field} is {shown(row[field])}; use up to 40 characters")
    if len(row["about"]) > _LONGEST or not row["about"].isprintable():
        raise PackError(f"{what}: about is too long; use one sentence of up to {_LONGEST} letters")
    default = row["default"] if row["default"] is not None else _DEFAULTS.get(kind)
    free = row["free"] or kind in _ALWAYS_FREE or default == FREE
    low, high = _range(what, kind, row["range"])
    choices, codes = _choices(what, kind, row, free)
    control = Control(
        f"pack/{name}", kind, False, "block", row["about"], low, high, row["unit"], choices, free,
        row["group"] or "pack", in_presets=row["presets"] and kind not in ("action", "keys"),
        transport=kind in ("action", "keys"), graph_input=row["graph_input"] or name,
        encoding=row["encoding"], codes=codes, length=row["length"] if kind == "chords" else 0,
    )  # fmt: skip
    return _with_default(what, control, row["default"])


def _with_default(what: str, control: Control, default: Any) -> Control:
    if default is None:
        default = _DEFAULTS.get(control.kind)
    if default is None:  # of numbers and choices
        default = FREE if control.free else control.choices[0] if control.choices else control.low
    try:
        return replace(control, default=control.check(default))
    except ConfigError as error:
        raise PackError(f"{what}: default: {error}") from None


def _range(what: str, kind: str, bounds: Sequence[Any]) -> tuple[float, float]:
    if kind not in (*NUMERIC, "keys"):
        if bounds:
            raise PackError(f"{what}: a {kind} has no range; leave it out")
        return 0.0, 1.0
    if not bounds:
        if kind == "keys":
            return 0.0, 127.0
        raise PackError(f"{what}: range is missing; use two numbers such as [0.5, 20]")
    numbers = [n for n in bounds if isinstance(n, (int, float)) and not isinstance(n, bool)]
    if len(bounds) != 2 or len(numbers) != 2 or not -1e12 <= numbers[0] < numbers[1] <= 1e12:
        raise PackError(
            f"{what}: range is {shown(list(bounds))}; use two numbers, the lower one first"
        )
    if kind != "number" and any(n != int(n) for n in numbers):
        raise PackError(f"{what}: range is {shown(list(bounds))}; use whole numbers")
    if kind == "keys" and not 0 <= numbers[0] < numbers[1] <= 127:
        raise PackError(f"{what}: range is {shown(list(bounds))}; use MIDI pitches, 0 to 127")
    return float(numbers[0]), float(numbers[1])


def _choices(
    what: str, kind: str, row: Mapping[str, Any], free: bool
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    names, codes = list(row["choices"]), list(row["codes"])
    if kind != "choice":
        if names or codes:
            raise PackError(f"{what}: a {kind} has no choices; leave them out")
        return (), ()
    good = all(
        isinstance(n, str) and 0 < len(n) <= _LONGEST_WORD and n.isprintable() for n in names
    )
    if not names or not good or len(set(names)) < len(names) or len(names) > _MOST_CHOICES:
        raise PackError(
            f"{what}: choices are {shown(names)}; use 1 to {_MOST_CHOICES} different names of up "
            "to 40 letters"
        )
    if codes and (
        len(codes) != len(names)
        or not all(isinstance(c, (int, float)) and abs(c) < 1e6 for c in codes)
    ):
        raise PackError(f"{what}: codes are {shown(codes)}; use one number for each choice")
    codes = [float(c) for c in codes] or [float(i) for i in range(len(names))]
    if free:  # the first of the choices
        if FREE in names:
            del codes[names.index(FREE)]
            names.remove(FREE)
        return (FREE, *names), (0.0, *codes)
    return tuple(names), tuple(codes)


# The controls of formats 1 and 2, with the encodings of their exported graphs.
EARLIER_CONTROLS: tuple[Control, ...] = (
    Control(
        "pack/harmony", "pitch_classes", FREE, "block",
        "The preferred notes, such as C E G, each with a weight.", free=True,
        group="harmony", graph_input="harmony",
    ),
    Control(
        "pack/register", "number", FREE, "block", "Where on the keyboard, as a mean MIDI pitch.",
        36.0, 84.0, free=True, group="harmony", graph_input="register",
    ),
    Control(
        "pack/density", "number", FREE, "block", "How many notes are struck per second.",
        0.5, 20.0, "notes/s", free=True, group="harmony", graph_input="density",
    ),
    Control(
        "pack/loudness", "number", FREE, "block", "How hard keys are struck, as a mean velocity.",
        20.0, 110.0, free=True, group="sound", graph_input="loudness",
    ),
    Control(
        "pack/style", "choice", FREE, "block", "What kind of music.",
        choices=(FREE, "classical", "pop"), free=True, group="harmony", graph_input="style",
        codes=(0.0, -1.0, 1.0),
    ),
    Control(
        "pack/held", "keys", (), "block",
        "The keys to play around, as MIDI pitches or names; none releases all.", 21.0, 108.0,
        free=True, group="keys", in_presets=False, transport=True, graph_input="held",
    ),
    Control(
        "pack/instrument", "number", 0.0, "block", "From the grand (0) to the upright (1).",
        group="sound", graph_input="instrument",
    ),
    Control(
        "pack/room", "number", 0.3, "block", "From a dry, small room to a large one.",
        group="sound", graph_input="room",
    ),
    Control(
        "pack/brightness", "number", 0.0, "block", "Tilt of the tone.", -1.0, 1.0,
        group="sound", graph_input="brightness",
    ),
)  # fmt: skip


def earlier_controls(names: Iterable[str]) -> tuple[Control, ...]:
    """The controls that the stages of a format 1 or 2 pack name, in the table's order.

    Raises
    ------
    PackError
        These formats do not have such a control.
    """
    requested = set(names)
    known = {control.short for control in EARLIER_CONTROLS}
    if unknown := sorted(requested - known):
        raise PackError(f"control {unknown[0]!r} is unknown; known are {', '.join(sorted(known))}")
    return tuple(control for control in EARLIER_CONTROLS if control.short in requested)
