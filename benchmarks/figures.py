"""The figures that the shipped pack has to reach, and their state as a page of the documentation.

`FIGURES` has a row for each of them. The parts of `benchmarks.quality` measure rows in separate
calls; `Results` keeps the values in `docs/benchmarks/quality.json`, one entry for each part, and
writes the table of `docs/quality.md` from all of them. Main thread only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report
from engine.errors import ConfigError

PAGE = "quality.md"
NAME = "quality"


@dataclass(frozen=True)
class Figure:
    """One row: lower is better unless `higher`. A row without bounds is only reported."""

    key: str
    part: str
    what: str
    must: float | None = None
    aim: float | None = None
    unit: str = ""
    higher: bool = False

    def verdict(self, value: float, short: bool = False) -> str:
        """`aim`, `must`, `so far` (measured for less than the bound's time) or `**no**`."""
        for word, bound in (("aim", self.aim), ("must", self.must)):
            if bound is not None and (value >= bound if self.higher else value <= bound):
                return "so far" if short else word
        return "" if self.must is None else "**no**"

    def bounds(self) -> list[str]:
        """`must` and `aim` as the table shows them."""
        sign = "at least " if self.higher else ""
        return [
            "" if b is None else "none" if b == 0 else f"{sign}{b:g} {self.unit}".strip()
            for b in (self.must, self.aim)
        ]


FIGURES: tuple[Figure, ...] = (
    Figure("decoder_f1", "decoder",
          "decoder: onsets transcribed from decoded against original (F1, 50 ms)",
          0.90, 0.97, higher=True),
    Figure("decoder_distance", "decoder",
          "decoder: Frechet distance of decoded true magnitudes to the originals, in units",
          3.0, 1.0),
    Figure("distance", "generated",
          "generated: Frechet distance to held-out works of the same mix, in units", 6.0, 2.0),
    Figure("first_pack", "first", "the same over that of the first pack", 0.5),
    Figure("few_many", "many", "default evaluations against 50: ratio of distances", 1.15, 1.0),
    Figure("drift", "endurance", "last five minutes of 60 against the first five", 1.2, 1.0),
    Figure("silence", "endurance", "silences of over 3 s in 60 min", 0, 0),
    Figure("not_finite", "endurance", "samples that are not finite in 60 min", 0, 0),
    Figure("clipped", "endurance", "clipped samples in 60 min", 0, 0),
    Figure("stuck", "endurance", "stuck notes in 60 min", 0, 0),
    Figure("novelty", "novelty",
          "novelty: generated 2 s excerpts are no nearer to training than held-out ones (1: yes)",
          1.0, 1.0, higher=True),
    Figure("harmony", "harmony",
          "harmony: chroma agreement with the requested pitch classes over free running",
          0.25, 0.4, higher=True),
    Figure("density", "levels", "density: rank correlation of request and sound", 0.6, 0.85,
           higher=True),
    Figure("register", "levels", "register: the same", 0.6, 0.85, higher=True),
    Figure("loudness", "levels", "loudness: the same", 0.6, 0.85, higher=True),
    Figure("timbre", "timbre", "instrument, room, brightness: how many change the sound as the "
          "data's do (of 3)", None, 3.0, higher=True),
    Figure("rtf", "speed", "real-time factor, default profile", 0.35, 0.1),
    Figure("block_control", "speed", "block control until audible, jam profile", 1.0, 0.2, "s"),
    Figure("held", "held",
          "held notes present in the sound of the blocks they are held in (transcription recall)",
          0.9, 0.98, higher=True),
    Figure("events", "events", "notes sent against the sound: onset within 30 ms",
          0.95, 0.99, higher=True),
    Figure("size", "speed", "size of the shipped pack", 40.0, 15.0, "MB"),
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """The value of a row: the number that is compared with its bounds, and its text."""

    value: float
    text: str
    short: bool = False


@dataclass(frozen=True)
class Found:
    """The results of a part: values by the row's key, a text for below the table, all numbers."""

    values: Mapping[str, Value]
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Results:
    """All values that have been measured, kept beside the page.

    Parameters
    ----------
    out : folder of the pages (`docs`).

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """

    def __init__(self, out: Path) -> None:
        self._page = out / PAGE
        self._file = out / "benchmarks" / f"{NAME}.json"
        self.parts: dict[str, Any] = {}
        if self._file.is_file():
            try:
                self.parts = json.loads(self._file.read_text(encoding="utf-8")).get("parts", {})
            except ValueError as error:
                raise ConfigError(
                    f"{self._file}: not JSON ({error}). Remove it and measure again."
                ) from error

    def add(self, part: str, found: Found, command: str, pack: str, date: str) -> None:
        """Replace the results of a part."""
        rows = {
            k: {"value": _plain(v.value), "text": v.text, "short": v.short}
            for k, v in found.values.items()
        }
        self.parts[part] = {
            "rows": rows, "text": found.text, "data": _plain(found.data), "pack": pack,
            "command": command, "machine": report.machine(), "date": date,
        }  # fmt: skip

    def value(self, key: str) -> Value | None:
        """The value of a row, None if it is not measured yet."""
        figure = next(f for f in FIGURES if f.key == key)
        row = self.parts.get(figure.part, {}).get("rows", {}).get(key)
        if row is None:
            return None
        number = row["value"]
        return Value(math.nan if number is None else number, row["text"], row["short"])

    def table(self, parts: list[str] | None = None) -> str:
        """Markdown: every row of these parts with its value, measured or not."""
        rows = []
        for figure in FIGURES:
            if parts is not None and figure.part not in parts:
                continue
            v = self.value(figure.key)
            text = "not measured yet" if v is None else v.text
            met = "" if v is None else figure.verdict(v.value, v.short)
            rows.append([figure.what, text, *figure.bounds(), met])
        return report.table(("measure", "found", "must", "aim", "met"), rows)

    def section(self) -> str:
        """The generated part of the page: the table, then each part's text and command."""
        packs = sorted({p["pack"] for p in self.parts.values()})
        lines = [", ".join(packs) + "." if packs else "Nothing is measured yet.", "", self.table()]
        for name, p in self.parts.items():
            lines += ["", f"**{name}**. {p['text']}".strip()]
            lines += ["", f"`{p['command']}`: {p['machine']}, {p['date']}."]
        return "\n".join(lines)

    def write(self) -> None:
        """Write the JSON, and the page with the prose outside its marks kept."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        whole = {"parts": self.parts}
        self._file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        old = self._page.read_text(encoding="utf-8") if self._page.is_file() else "# Quality\n"
        self._page.write_text(report.replaced(old, NAME, self.section()), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Values for JSON: numbers that are not finite become null, arrays become lists."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
