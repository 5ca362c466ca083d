"""`pack.toml` as text, written by the tables that the engine reads it with.

Nothing about a field is repeated here: which tables there are, in which order their fields stand,
and which values need not be written because they are the default, all stand in
`engine.packs.format_3.TABLES` and in the options of the representations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from engine.fields import Field
from engine.packs.format_3 import LISTS, TABLES
from engine.representations.kinds import KINDS

_HEAD = "# A pack: an exported model that Attacca plays. Fields: docs/packs.md\n"
_WIDTH = 100

Table = Mapping[str, Any]


def manifest_text(tables: Mapping[str, Table | Sequence[Table]], files: Mapping[str, str]) -> str:
    """The whole file.

    Parameters
    ----------
    tables : by the names of the engine's tables, the first one's name being "".
    files : SHA-256 of each file of the pack.

    Raises
    ------
    ValueError
        For a table or field that the engine does not know.
    """
    outer = ("", *LISTS, "golden")
    unknown = set(tables) - set(outer)
    if unknown:
        raise ValueError(f"Unknown table {min(unknown)!r}: known are {', '.join(outer)}")
    parts = [_HEAD]
    for name in outer:
        if name not in tables:
            continue
        found = tables[name]
        several = not isinstance(found, Mapping)
        heading = f"\n[[{name}]]\n" if several else f"\n[{name}]\n"
        for table in found if several else [found]:
            rows = [f"{key} = {text}\n" for key, text in _rows(name, table)]
            parts.append((heading if name else "") + "".join(rows))
    lines = "".join(f"{_value(file)} = {_value(files[file])}\n" for file in sorted(files))
    return "".join(parts) + "\n[files]\n" + lines


def _fields(name: str, table: Table) -> tuple[Field, ...]:
    options = KINDS[table["kind"]].options if name == "signal" else ()
    return (*TABLES[name], *options)


def _rows(name: str, table: Table) -> list[tuple[str, str]]:
    """The fields of a table that are not at their defaults, as TOML."""
    known = {f.name: f for f in _fields(name, table)}
    for key in table:
        if key not in known:
            raise ValueError(f"Unknown field {name}.{key}: known are {', '.join(known)}")
    rows = []
    for f in known.values():
        if f.name not in table:
            continue
        value = table[f.name]
        plain = tuple(value) if isinstance(value, list) else value  # as defaults are
        if f.required or plain != f.default:
            rows.append((f.name, _value(value, _nested(f))))
    return rows


def _nested(f: Field) -> str:
    """The table that describes what is inside of a field, or ""."""
    singular = f.name.removesuffix("s")
    if f.kind is dict and f.name in TABLES:
        return f.name
    return singular if f.kind is list and singular in TABLES else ""


def _value(value: Any, table: str = "") -> str:
    """A value in TOML. Text is nearly JSON, but TOML reads no escaped surrogates, and no DEL."""
    if isinstance(value, Mapping):
        rows = _rows(table, value) if table else [(k, _value(v)) for k, v in value.items()]
        inside = ", ".join(f"{key} = {text}" for key, text in rows)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        items = [_value(item, table) for item in value]
        line = f"[{', '.join(items)}]"
        if len(line) < _WIDTH:
            return line
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else f'"{value}"'
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
