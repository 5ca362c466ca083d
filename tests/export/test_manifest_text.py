"""`pack.toml` is written by the tables that it is read with, and by nothing else."""

from __future__ import annotations

import tomllib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from made_packs import PACKS  # noqa: E402

from engine.controls.pack_controls import EARLIER_CONTROLS, read_controls  # noqa: E402
from engine.packs.format_3 import LISTS  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from export.contents import control_table  # noqa: E402
from export.manifest_text import manifest_text  # noqa: E402

pytestmark = pytest.mark.torch
STAGE = {
    "output": "sound", "kind": "diffusion", "block": 8, "continues": "none",
    "graphs": {"step": "s.onnx"}, "steps": {"least": 1, "default": 4}, "temperature": 1.0,
    "inputs": [{"signal": "notes", "before": 4, "after": 0}],
}  # fmt: skip


def test_what_is_the_default_is_not_written_at_any_depth():
    stage = tomllib.loads(manifest_text({"stage": [STAGE]}, {}))["stage"][0]
    assert stage == {
        "output": "sound", "kind": "diffusion", "block": 8, "graphs": {"step": "s.onnx"},
        "steps": {"default": 4}, "inputs": [{"signal": "notes", "before": 4}],
    }  # fmt: skip


@pytest.mark.parametrize("control", EARLIER_CONTROLS, ids=lambda c: c.short)
def test_a_control_is_read_back_as_it_is(control):
    text = manifest_text({"control": [control_table(control)]}, {})
    assert read_controls("", tomllib.loads(text)["control"]) == (control,)


def test_grids_are_written_as_fractions():
    signals = [
        {"name": n, "kind": "roll", "rows": 4, "grid": {"samples": f}}
        for n, f in (("a", Fraction(256)), ("b", Fraction(441, 2)))
    ]
    read = tomllib.loads(manifest_text({"signal": signals}, {}))["signal"]
    assert [s["grid"] for s in read] == [{"samples": 256}, {"samples": "441/2"}]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"stages": []}, "Unknown table 'stages'"),
        ({"": {"hz": 1}}, r"Unknown field \.hz"),
        ({"stage": [STAGE | {"steps": {"fewest": 1}}]}, r"Unknown field steps\.fewest"),
        ({"signal": [{"name": "a", "kind": "roll", "window": 4}]}, r"Unknown field signal\.window"),
    ],
)
def test_what_the_engine_does_not_know_is_not_written(tables, says):
    with pytest.raises(ValueError, match=says):
        manifest_text(tables, {})


@given(
    title=st.text(st.characters(exclude_categories=("Cs",))),
    lines=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=60), min_size=1),
    number=st.floats(allow_nan=False, allow_infinity=False),
    options=st.dictionaries(st.sampled_from(("rho", "sigma_min", "eta")), st.floats(-9, 9)),
)
def test_any_text_and_number_reads_back(title, lines, number, options):
    signal = {"name": "s", "kind": "log-magnitude", "scale": number}
    tables = {
        "": {"title": title, "credits": lines}, "signal": [signal],
        "stage": [{"output": "s", "kind": "diffusion", "schedule": {"kind": "k", **options}}],
    }  # fmt: skip
    raw = tomllib.loads(manifest_text(tables, {'a "b".onnx': "0"}))
    assert (raw["title"], raw["credits"]) == (title, lines)
    assert raw["signal"][0]["scale"] == number
    assert raw["stage"][0]["schedule"] == {"kind": "k", **options}
    assert raw["files"] == {'a "b".onnx': "0"}


@pytest.mark.parametrize("make", PACKS, ids=lambda make: make.__name__)
def test_any_manifest_is_read_back_as_it_is(make, tmp_path):
    folder = make(tmp_path)
    first = read_manifest(folder)
    tables = tomllib.loads((folder / "pack.toml").read_text("utf-8"))
    files = tables.pop("files")
    lists = {name: tables.pop(name) for name in (*LISTS, "golden") if name in tables}
    (folder / "pack.toml").write_text(manifest_text({"": tables, **lists}, files), "utf-8")
    assert read_manifest(folder) == first
