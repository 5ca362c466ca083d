"""`pack.toml` as text, written by the tables that the engine reads it with.

Nothing about a field is repeated here: which tables there are, in which order their fields stand,
and which values need not be written because they are the default, all stand in
`engine.packs.manifest.TABLES`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.packs.manifest import TABLES

_HEAD = "# A pack: an exported model that Attacca plays. Fields: docs/packs.md\n"
_WIDTH = 100

Table = Mapping[str, Any]


def manifest_text(tables: Mapping[str, Table | Sequence[Table]], files: Mapping[str, str]) -> str:
    """The whole file.

    Parameters
    ----------
    tables : by the names of the engine's tables; a list of them is written as an array of tables.
    files : SHA-256 of each file of the pack.

    Raises
    ------
    ValueError
        For a table or field that the engine does not know.
    """
    unknown = set(tables) - set(TABLES)
    if unknown:
        raise ValueError(f"Unknown table {min(unknown)!r}: known are {', '.join(TABLES)}")
    parts = [_HEAD]
    for name in TABLES:
        content = tables.get(name, ())
        several = not isinstance(content, Mapping)
        for table in content if several else [content]:
            heading = f"\n[[{name}]]\n" if several else f"\n[{name}]\n"
            parts.append((heading if name else "") + _fields(name, table))
    lines = "".join(f"{_value(file)} = {_value(files[file])}\n" for file in sorted(files))
    return "".join(parts) + "\n[files]\n" + lines


def _fields(name: str, table: Table) -> str:
    known = {f.name: f for f in TABLES[name]}
    for key in table:
        if key not in known:
            raise ValueError(f"Unknown field {name}.{key}: known are {', '.join(known)}")
    lines = []
    for f in known.values():
        if f.name not in table:
            continue
        value = table[f.name]
        plain = tuple(value) if isinstance(value, list) else value  # as defaults are
        if f.required or plain != f.default:
            lines.append(f"{f.name} = {_value(value)}\n")
    return "".join(lines)


def _value(value: Any) -> str:
    """A value in TOML. Text is nearly JSON, but TOML reads no escaped surrogates, and no DEL."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        items = [_value(item) for item in value]
        line = f"[{', '.join(items)}]"
        if len(line) < _WIDTH:
            return line
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
