"""Makes the generated pages of `docs/` from the tables that the code itself walks.

`python docs/build.py` writes `controls.md` (from the tables of engine/controls/), `osc.md` (from
osc/fixed_addresses.py) and, between its markers, the tables of `packs.md` (from
engine.packs.manifest.TABLES). `--check` writes nothing and fails when a page is not what it would
be. Text only; a test runs the check.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- table: ([a-z0-9 ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {int: "integer", float: "number", str: "text", bool: "true or false", list: "list",
          dict: "table", Fraction: "integer or fraction", object: "of its kind"}  # fmt: skip

CONTROLS = """# Controls

Made by `docs/build.py` from `engine/controls/`: change those tables and run `make docs`.

A **live** control is heard within the output latency. A **block** control is heard from the next
block on: with `--latency default` at most 3 s later, with `--latency jam` at most 1 s. Values out
of range are refused on the command line and brought into range everywhere else.

The controls under `pack/` are those of the shipped pack; another pack brings its own, which appear
in every interface in the same way ([packs](packs.md)). A short name, such as `density`, works on
the command line and in Python where only one control ends with it; the engine's come first.

{table}
In Python: `instrument.set({example}, temperature=0.9)`. On the command line: `attacca play --help`
lists those that are options there, and `--set NAME=VALUE` sets any control of any pack.
"""


def controls_page() -> str:
    """The whole of `controls.md`."""
    from engine.controls.shipped_table import SHIPPED_TABLE

    rows = [
        (f"`{p.name}`", p.group, p.when, p.span(), _shown(p.default, p.unit), p.about)
        for p in SHIPPED_TABLE
    ]
    head = ("control", "group", "applied", "values", "default", "what it does")
    first = SHIPPED_TABLE.controls[0]
    return CONTROLS.format(table=_table(head, rows), example=f"{first.name}={first.default!r}")


def osc_page() -> str:
    """The whole of `osc.md`."""
    from engine.controls.shipped_table import SHIPPED_TABLE
    from osc.addresses import address_space
    from osc.listing import markdown

    return markdown(address_space(SHIPPED_TABLE))


def packs_page(text: str) -> str:
    """`packs.md` with every marked table up to date.

    Raises
    ------
    ValueError
        A table has no place in the page, or a place has no table.
    """
    tables = _pack_tables()
    places = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(places) != sorted(tables):
        odd = sorted(set(places) ^ set(tables)) or sorted(places)
        raise ValueError(f"packs.md needs one place for each table; look at: {', '.join(odd)}")
    return _BLOCK.sub(lambda m: m[1] + tables[m[2]] + m[3], text)


def _pack_tables() -> dict[str, str]:
    """The text of every table of `packs.md`, by the name in its marker."""
    from engine.packs.earlier_formats import TABLES as EARLIER
    from engine.packs.format_3 import STAGE_FIELDS, TABLES
    from engine.representations.kinds import KINDS
    from engine.sampling.samplers import SAMPLERS
    from engine.sampling.schedules import SCHEDULES

    tables = {name or "top": _fields(fields) for name, fields in TABLES.items()}
    tables |= {f"earlier {name or 'top'}": _fields(fields) for name, fields in EARLIER.items()}
    tables["representations"] = "\n".join(
        f"**`{name}`**: {kind.about}.\n\n{_fields(kind.options)}" for name, kind in KINDS.items()
    )
    head = ("kind", "options and their defaults")
    schedules = [(f"`{name}`", _options(make)) for name, make in SCHEDULES.items()]
    samplers = [(f"`{name}`", _options(entry.make)) for name, entry in SAMPLERS.items()]
    rows = [
        (f"`{kind}`", ", ".join(f"`{n}`" for n in needed), ", ".join(f"`{n}`" for n in able))
        for kind, (needed, able) in STAGE_FIELDS.items()
    ]
    tables["kinds of stages"] = _table(("kind", "needs", "also takes"), rows)
    return {
        **tables, "schedules": _table(head, schedules), "samplers": _table(head, samplers),
    }  # fmt: skip


def _parameters(make: Callable[..., object]) -> list[inspect.Parameter]:
    """The options of a schedule or sampler: what its function takes beside its first parameter."""
    return list(inspect.signature(make).parameters.values())[1:]


def _options(make: Callable[..., object]) -> str:
    return ", ".join(f"`{p.name} = {p.default:g}`" for p in _parameters(make)) or "none"


# ------------------------------------------------------------------------------ pack.schema.json

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_FRACTION = "^-?[0-9]{1,15}(/[0-9]{1,15})?$"
_PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean"}


def _list_of(items: Mapping[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _map_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


# What the lists and tables among the fields contain, by the name of the field.
_CONTAINED: Mapping[str, Mapping[str, Any]] = {
    "credits": _list_of(_TEXT),
    "grid": _reference("grid"),
    "inputs": _list_of(_reference("input")),
    "graphs": _map_of(_TEXT),
    "schedule": _reference("schedule"),
    "sampler": _reference("sampler"),
    "steps": _reference("steps"),
    "guidance": {"anyOf": [_reference("guidance"), {"type": "object", "maxProperties": 0}]},
    "controls": _list_of(_TEXT),
    "range": _list_of(_NUMBER),
    "choices": _list_of(_TEXT),
    "codes": _list_of(_NUMBER),
    "outputs": _map_of(_TEXT),
    "schedule_options": _map_of(_NUMBER),
}


_EVERY = ("output", "name", "kind")  # fields of a stage of any kind


def schema_page() -> str:
    """The whole of `pack.schema.json`, for draft 2020-12 of JSON Schema."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pack.toml of Attacca",
        "description": "Made by docs/build.py; docs/packs.md explains every field.",
        "type": "object",
        "properties": {"format": {"enum": [1, 2, 3]}},
        "required": ["format"],
        "allOf": [_when("format", n, _reference(f"format-{n}")) for n in (3, 2, 1)],
        "$defs": {**_format_3(), **_earlier_formats()},
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _format_3() -> dict[str, Any]:
    from engine.packs.format_3 import LISTS, STAGE_FIELDS, TABLES
    from engine.representations.kinds import KINDS
    from engine.sampling.samplers import SAMPLERS
    from engine.sampling.schedules import SCHEDULES

    needed = {"signal": 1, "stage": 1}
    lists = {name: _list_of(_reference(name), needed.get(name, 0)) for name in LISTS}
    lists = {"signal": lists.pop("signal"), "stage": lists.pop("stage"), **lists}
    top = _object(
        TABLES[""], {**lists, "golden": _reference("golden"), "files": _reference("files")},
        (*needed, "golden", "files"),
    )  # fmt: skip
    signal = {
        "type": "object",
        "properties": {"kind": {"enum": list(KINDS)}},
        "required": ["kind"],
        "allOf": [_when("kind", name, _reference(f"signal-{name}")) for name in KINDS],
    }
    makers = {name: entry.make for name, entry in SAMPLERS.items()}
    own = {name: _object(fields) for name, fields in TABLES.items() if name not in ("", "signal")}
    own["stage"]["allOf"] = [_of_kind(name) for name in STAGE_FIELDS]
    return {
        "format-3": top,
        "signal": signal,
        **{f"signal-{name}": _object((*TABLES["signal"], *kind.options))
           for name, kind in KINDS.items()},
        **own,
        "schedule": _kinds("schedule", SCHEDULES),
        "sampler": _kinds("sampler", makers),
        "files": _map_of({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    }  # fmt: skip


def _of_kind(kind: str) -> dict[str, Any]:
    """What a stage of a kind needs and may have."""
    from engine.packs.format_3 import STAGE_FIELDS, TABLES

    needed, able = STAGE_FIELDS[kind]
    others = [f.name for f in TABLES["stage"] if f.name not in (*_EVERY, *needed, *able)]
    return _when(
        "kind", kind, {"required": list(needed), "properties": dict.fromkeys(others, False)}
    )


def _kinds(what: str, makers: Mapping[str, Callable[..., object]]) -> dict[str, Any]:
    """A table of a kind and the options of that kind; without a kind the default of the format."""
    from engine.packs.stages import Sampling

    default = getattr(Sampling(), what)
    cases: list[dict[str, Any]] = []
    for name, make in makers.items():
        options = {p.name: _NUMBER for p in _parameters(make)}
        case = {"properties": {"kind": {"const": name}, **options}, "additionalProperties": False}
        cases.append(case if name == default else {**case, "required": ["kind"]})
    return {"type": "object", "anyOf": cases}


def _earlier_formats() -> dict[str, Any]:
    from engine.packs.earlier_formats import TABLES

    names = [name for name in TABLES if name not in ("", "stage")]
    own = {f"earlier-{name}": _object(TABLES[name]) for name in TABLES if name}
    single = _object(TABLES["stage"])
    single["properties"]["guidance"] = {"enum": [True, False, "", "past", "controls"]}
    formats: dict[str, Any] = {}
    for number, stage in (
        (2, _list_of(_reference("earlier-stage"), 1)), (1, _reference("format-1-stage")),
    ):  # fmt: skip
        formats[f"format-{number}"] = {
            "type": "object",
            "properties": {
                "format": {"const": number},
                **{name: _reference(f"earlier-{name}") for name in names},
                "stage": stage,
                "files": _reference("files"),
            },
            "required": [*(n for n in names if n != "listening"), "stage", "files"],
        }
    return {**formats, **own, "format-1-stage": single}


def _when(name: str, value: object, then: Mapping[str, Any]) -> dict[str, Any]:
    """Apply `then` where a property has a value."""
    return {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": then}


def _object(
    fields: Sequence[Any], more: Mapping[str, Any] | None = None, needed: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**{f.name: _property(f) for f in fields}, **(more or {})},
        "required": [*(f.name for f in fields if f.required), *needed],
        "additionalProperties": False,
    }


def _property(field: Any) -> dict[str, Any]:
    about = {"description": field.about}
    if field.kind in (list, dict):
        return {**_CONTAINED[field.name], **about}
    if field.kind is object:
        return about
    bounds = {"minimum": field.low, "maximum": field.high}
    bounds = {name: value for name, value in bounds.items() if value is not None}
    if field.kind is Fraction:
        whole, text = {"type": "integer", **bounds}, {"type": "string", "pattern": _FRACTION}
        return {"anyOf": [whole, text], **about}
    choices = {"enum": list(field.choices)} if field.choices else {}
    return {"type": _PLAIN[field.kind], **bounds, **choices, **about}


# ------------------------------------------------------------------------------ all pages


def pages(docs: Path = DOCS) -> Mapping[Path, Callable[[], str]]:
    """Each generated page, and what makes its text."""
    packs = docs / "packs.md"
    return {
        docs / "controls.md": controls_page,
        docs / "osc.md": osc_page,
        packs: lambda: packs_page(packs.read_text(encoding="utf-8")),
        docs / "pack.schema.json": schema_page,
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with `--check` name the stale ones. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when out of date")
    args = parser.parse_args(arguments)
    stale = [
        path
        for path, make in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != make()
    ]
    for path in stale:
        if args.check:
            print(f"{path.name} is out of date: run make docs", file=sys.stderr)
        else:
            path.write_text(pages()[path](), encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if args.check and stale else 0


def _fields(fields: tuple[Any, ...]) -> str:
    rows = [
        (f"`{f.name}`", _TYPES[f.kind], _bounds(f), "" if f.required else _default(f), f.about)
        for f in fields
    ]
    return _table(("field", "type", "values", "default", "what it is"), rows)


def _bounds(field: Any) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.low is None and field.high is None:
        return ""
    if field.low == field.high:
        return f"{field.low:.12g}"
    return f"{field.low:.12g} to {field.high:.12g}"


def _default(field: Any) -> str:
    if field.default in ("", (), {}, None):
        return "none"
    return f"`{str(field.default).lower() if field.kind is bool else field.default}`"


def _shown(value: object, unit: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "none"
    if isinstance(value, float):
        return f"{value:g} {unit}".strip()
    return str(value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |\n" for r in lines
    )


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))
    sys.exit(main())
