"""Makes the generated pages of `docs/` from the tables that the code itself walks.

`python docs/build.py` writes `controls.md` (from the tables of engine/controls/), `osc.md` (from
osc/addresses.py) and, between its markers, the tables of `packs.md` (from
engine.packs.manifest.TABLES). `--check` writes nothing and fails when a page is not what it would
be. Text only; a test runs the check.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- fields of ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {int: "integer", float: "number", str: "text", bool: "true or false", list: "list",
          dict: "table"}  # fmt: skip

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
    head = ("control", "group", "heard", "values", "default", "what it does")
    first = SHIPPED_TABLE.controls[0]
    return CONTROLS.format(table=_table(head, rows), example=f"{first.name}={first.default!r}")


def osc_page() -> str:
    """The whole of `osc.md`."""
    from engine.controls.shipped_table import SHIPPED_TABLE
    from osc.addresses import address_space
    from osc.listing import markdown

    return markdown(address_space(SHIPPED_TABLE))


def packs_page(text: str) -> str:
    """`packs.md` with every marked table made anew.

    Raises
    ------
    ValueError
        When a table of the manifest has no place in the page, or a place has no table.
    """
    from engine.packs.manifest import TABLES

    tables = {name or "top": fields for name, fields in TABLES.items()}
    places = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(places) != sorted(tables):
        raise ValueError(
            f"packs.md has places for {sorted(places)}; pack.toml has the tables {sorted(tables)}"
        )
    return _BLOCK.sub(lambda m: m[1] + _fields(tables[m[2]]) + m[3], text)


def pages(docs: Path = DOCS) -> Mapping[Path, Callable[[], str]]:
    """Each generated page, and what makes its text."""
    packs = docs / "packs.md"
    return {
        docs / "controls.md": controls_page,
        docs / "osc.md": osc_page,
        packs: lambda: packs_page(packs.read_text(encoding="utf-8")),
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
    return f"{field.low:.12g} to {field.high:.12g}"


def _default(field: Any) -> str:
    if field.default in ("", (), {}):
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
