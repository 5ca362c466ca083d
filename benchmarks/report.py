"""The output of a benchmark: a printed table, a section of docs/benchmarks.md, a JSON file.

`deliver` refreshes, in the folder `--out`, the part of `benchmarks.md` between
`<!-- NAME:begin -->` and `<!-- NAME:end -->` (added at the end where it is missing) and writes
`benchmarks/NAME.json` beside it. Main thread only.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PAGE = "benchmarks.md"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats must be formatted already."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """One line that names the machine, the software and how busy it is."""
    parts = [f"{_processor()}, {os.cpu_count()} cores", platform.system()]
    parts += [
        f"Python {platform.python_version()}",
        f"ONNX Runtime {metadata.version('onnxruntime')}",
    ]
    if hasattr(os, "getloadavg"):
        parts.append(f"load average {os.getloadavg()[0]:.1f} at the end")
    return ", ".join(parts)


def _short(argument: str) -> str:
    """An argument as the page shows it: of a path of this machine only its last part."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def replaced(page: str, name: str, section: str) -> str:
    """`page` with the part between the marks of `name` exchanged, or added at its end."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    part = f"{begin}\n{section.strip()}\n{end}"
    if begin in page and end in page:
        head, rest = page.split(begin, 1)
        return head + part + rest.split(end, 1)[1]
    return f"{page.rstrip()}\n\n{part}\n"


def command() -> str:
    """The command that runs now, as a page shows it."""
    return " ".join(["python -m benchmarks." + Path(sys.argv[0]).stem, *map(_short, sys.argv[1:])])


def deliver(name: str, section: str, data: dict[str, Any], out: Path | None) -> None:
    """Print the section; with `out`, put it on the page there and the data beside it."""
    foot = f"`{command()}`: {machine()}, {time.strftime('%Y-%m-%d')}."
    section = f"{section.strip()}\n\n{foot}"
    print(f"\n{section}\n", flush=True)
    if out is None:
        return
    folder = out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    page = out / PAGE
    old = page.read_text(encoding="utf-8") if page.is_file() else "# Measurements\n"
    page.write_text(replaced(old, name, section), encoding="utf-8")
    whole = {"command": command(), "machine": machine(), **data}
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"{page} and {folder / (name + '.json')} written", flush=True)
