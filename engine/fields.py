"""The fields of a manifest as tables, and a reader that checks a TOML table against them.

Pure data: any thread, any process. The documentation and the JSON schema of packs are generated
from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from engine.errors import PackError

__all__ = ["Field", "read_fraction", "read_table"]

_KINDS: Mapping[type, str] = {
    int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false",
    list: "a list", dict: "a table",
}  # fmt: skip
_FRACTION = re.compile(r"-?[0-9]{1,15}(/[0-9]{1,15})?")  # bounded: "1e999999999" would not end


@dataclass(frozen=True)
class Field:
    """One field: its name, type, bounds and meaning.

    A `kind` of Fraction accepts a whole number, or a fraction as text, such as "3/2".
    """

    name: str
    kind: type
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    default: Any = None
    required: bool = True


def read_table(where: str, name: str, fields: Sequence[Field], table: Any) -> dict[str, Any]:
    """Check one table of a manifest, and fill in the defaults of missing fields.

    Parameters
    ----------
    where : the file, for messages.
    name : of the table, for messages.

    Raises
    ------
    PackError
        A field is missing, unknown or wrong.
    """
    if table is None:
        raise PackError(f"{where}: table [{name}] is missing")
    if not isinstance(table, dict):
        raise PackError(f"{where}: {name} is {table!r}; use a table")
    known = {f.name: f for f in fields}
    table = cast("dict[str, Any]", table)
    for key in table:
        if key not in known:
            full = f"{name}.{key}" if name else key
            raise PackError(f"{where}: {full} is unknown; known are {', '.join(known)}")
    return {f.name: _value(where, name, f, table) for f in fields}


def read_fraction(where: str, name: str, value: Any) -> Fraction:
    """A whole number or a text such as "3/2" as a fraction.

    Raises
    ------
    PackError
        It is neither.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    text = isinstance(value, str) and _FRACTION.fullmatch(value)
    try:
        if whole or text:
            return Fraction(value)
    except ZeroDivisionError:
        pass
    raise PackError(f'{where}: {name} is {value!r}; use a whole number or a fraction such as "3/2"')


def _value(where: str, table: str, f: Field, values: Mapping[str, Any]) -> Any:
    name = f"{table}.{f.name}" if table else f.name
    if f.name not in values:
        if f.required:
            raise PackError(f"{where}: {name} is missing: {f.about}")
        return f.default
    value = values[f.name]
    if f.kind is Fraction:
        value = read_fraction(where, name, value)
    elif f.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, f.kind) or (f.kind is int and isinstance(value, bool)):
        raise PackError(f"{where}: {name} is {value!r}; use {_KINDS[f.kind]}")
    if f.choices and value not in f.choices:
        takes = ", ".join(filter(None, f.choices))
        raise PackError(f"{where}: {name} is {value!r}; use {takes}")
    if isinstance(value, (int, float, Fraction)) and not isinstance(value, bool):
        low = f.low if f.low is not None else value
        high = f.high if f.high is not None else value
        if not low <= value <= high:
            span = f"{low:g} to {high:g}" if low < high else f.about
            raise PackError(f"{where}: {name} is {value}; use {span}")
    return value
