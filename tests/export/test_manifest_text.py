"""`pack.toml` is written by the tables that it is read with, and by nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from engine.packs.manifest import TABLES  # noqa: E402
from export.manifest_text import manifest_text  # noqa: E402

pytestmark = pytest.mark.torch
SHIPPED = Path(__file__).parents[2] / "packs" / "piano" / "pack.toml"


def several(content: Any) -> list[dict[str, Any]]:
    return content if isinstance(content, list) else [content]


def test_the_shipped_manifest_is_written_as_it_was_read():
    raw = tomllib.loads(SHIPPED.read_text("utf-8"))
    tables = {name: raw[name] for name in TABLES if name in raw} | {"": {"format": raw["format"]}}
    again = tomllib.loads(manifest_text(tables, raw["files"]))
    assert (again["format"], again["files"]) == (raw["format"], raw["files"])
    for name, content in tables.items():
        defaults = {f.name: f.default for f in TABLES[name] if not f.required}
        for before, after in zip(several(content), several(again.get(name, again)), strict=True):
            for key, value in before.items():
                assert after.get(key, defaults.get(key)) == value


def test_what_is_the_default_is_not_written():
    table = {"name": "a", "frames": 4, "step": "s", "context": "c", "steps": 2, "temperature": 1.0}
    text = manifest_text({"stage": [{**table, "continuing": "embed"}]}, {})
    assert "temperature" not in text
    assert tomllib.loads(text)["stage"][0]["steps"] == 2


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"stages": []}, "Unknown table 'stages'"),
        ({"audio": {"hz": 1}}, r"Unknown field audio\.hz"),
    ],
)
def test_what_the_engine_does_not_know_is_not_written(tables, says):
    with pytest.raises(ValueError, match=says):
        manifest_text(tables, {})


@given(
    title=st.text(st.characters(exclude_categories=("Cs",))),
    lines=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60)),
    number=st.floats(allow_nan=False, allow_infinity=False),
    options=st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), st.integers(0, 9)),
)
def test_any_text_and_number_reads_back(title, lines, number, options):
    tables = {
        "pack": {"title": title, "credits": lines},
        "representation": {"scale": number},
        "stage": [{"schedule_options": options}],
    }
    raw = tomllib.loads(manifest_text(tables, {'a "b".onnx': "0"}))
    assert raw["pack"] == {"title": title} | ({"credits": lines} if lines else {})
    assert raw["representation"]["scale"] == number
    assert raw["stage"][0].get("schedule_options", {}) == options
    assert raw["files"] == {'a "b".onnx': "0"}
