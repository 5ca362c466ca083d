"""docs/packs.md and docs/pack.schema.json against the player: what they say is what it takes."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx_by_hand import model, node, value

from engine.errors import PackError
from engine.execution.executor import make_executor
from engine.packs import earlier_formats, format_3
from engine.packs.files import verify_files
from engine.packs.manifest import read_toml
from engine.packs.read import read_manifest
from engine.representations.kinds import KINDS
from engine.stream.requests import make_request
from engine.stream.self_test import self_test
from engine.stream.walk import PlanWalk

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "packs.md").read_text("utf-8")
EXAMPLE = re.search(r"<!-- example -->\n```toml\n(.*?)```", PAGE, re.DOTALL)[1]
SNIPPETS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
WRITTEN = [ROOT / "packs" / "piano", ROOT / "tests" / "data" / "packs" / "tiny"]


@pytest.fixture(scope="module")
def schema():
    return json.loads((ROOT / "docs" / "pack.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def valid(schema):
    """Whether a manifest fits the schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="run ./run setup test")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid


# ------------------------------------------------------------------------------ the example

BLOCK, PAST = (1, 1024, 64), (1, 1024, 32)


def graphs() -> dict[str, bytes]:
    """The example's graphs with the inputs and outputs that the page says, and little inside."""
    context = model(
        [
            node("ReduceMean", ["past"], "mean"), node("Mul", ["mean", "present"], "real"),
            node("ReduceMean", ["depth"], "d"), node("ReduceMean", ["weather"], "w"),
            node("Add", ["d", "w"], "both"), node("Add", ["real", "both"], "hidden"),
        ],
        [value("past", *PAST), value("present", 1), value("depth", 2), value("weather", 3)],
        [value("hidden", 1, 1, 1)],
    )  # fmt: skip
    step = model(
        [
            node("Add", ["alpha", "sigma"], "level"), node("Add", ["level", "hidden"], "all"),
            node("Add", ["x", "all"], "sum"), node("Tanh", ["sum"], "x0"),
        ],
        [value("x", *BLOCK), value("alpha", 1), value("sigma", 1), value("hidden", 1, 1, 1)],
        [value("x0", *BLOCK)],
    )  # fmt: skip
    return {"context.onnx": context, "step.onnx": step}


def golden() -> dict[str, np.ndarray]:
    """The arrays that the page lists, as an exporter computes them."""
    rng = np.random.default_rng(1)
    past = rng.standard_normal((3, *PAST)).astype(np.float32)
    x = rng.standard_normal((3, *BLOCK)).astype(np.float32)
    level = np.array([[0.02], [0.2], [0.5]], np.float32)
    depth = np.array([[0, 0], [0.1, 1], [0.5, 1]], np.float32)
    weather = np.eye(3, dtype=np.float32)
    hidden = past.mean((1, 2, 3)) + depth.mean(1) + weather.mean(1)
    x0 = np.tanh(x + (0.5 + level[:, 0] + hidden)[:, None, None, None]).astype(np.float32)
    one = np.ones((3, 1), np.float32)
    arrays = {"past": past, "present": one, "depth": depth, "weather": weather, "x": x,
              "alpha": one / 2, "sigma": level, "x0": x0}  # fmt: skip
    return {f"spectrum/{name}": array for name, array in arrays.items()}


@pytest.fixture(scope="module")
def brook(tmp_path_factory):
    """The page's example as a whole pack, written as the page says."""
    folder = tmp_path_factory.mktemp("packs") / "brook"
    folder.mkdir()
    for name, graph in graphs().items():
        (folder / name).write_bytes(graph)
    np.save(folder / "mean.npy", np.full(512, -3, np.float32))
    np.savez(folder / "golden.npz", **golden())
    text = EXAMPLE
    for name, listed in tomllib.loads(EXAMPLE)["files"].items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        text = text.replace(listed, digest)
    (folder / "pack.toml").write_text(text, "utf-8")
    return folder


def test_the_example_of_the_page_is_a_whole_pack_that_passes_its_self_test(brook):
    manifest = read_manifest(brook)
    verify_files(manifest)
    assert self_test(manifest, make_executor("cpu", 1)).worst < 1e-5


def test_the_example_plays_in_stereo_and_follows_its_controls(brook):
    manifest = read_manifest(brook)
    played = {}
    for depth in (0.1, 3.0):
        walk = PlanWalk(manifest, make_executor("cpu", 1))
        requests = [make_request(walk.plan, i, controls={"depth": depth}) for i in range(2)]
        played[depth] = np.concatenate([walk.make(r).samples for r in requests])
    samples = played[0.1]
    assert samples.shape[1] == 2
    assert samples.std() > 1e-4
    assert not np.array_equal(samples[:, 0], samples[:, 1])
    assert not np.array_equal(samples, played[3.0])


def test_the_page_says_how_long_blocks_and_frames_of_the_example_are(brook):
    manifest = read_manifest(brook)
    assert (
        f"# {manifest.rate // manifest.signal('spectrum').grid.samples} frames per sec" in EXAMPLE
    )
    assert f"# {manifest.stages[0].block * 256 / manifest.rate:g} s" in EXAMPLE


def test_the_network_decoder_of_the_page_fits_the_example(tmp_path):
    raw, decoder = tomllib.loads(EXAMPLE), tomllib.loads(SNIPPETS[1])
    raw["signal"] = [raw["signal"][0], *decoder["signal"]]
    raw["stage"] = [raw["stage"][0], *decoder["stage"]]
    raw["files"]["vocoder.onnx"] = "0" * 64
    manifest = format_3.read_format_3(tmp_path / "pack.toml", raw)
    plan = format_3_plan(manifest)
    read = plan.stage("sound").inputs[0]
    first, end = read.window(plan.stage("sound").start, 16384)
    assert end - first == 80, "the comment of the snippet"
    assert plan.stage("sound").start == -8 * 256
    assert plan.stage("sound").unit == 256


def format_3_plan(manifest):
    from engine.packs.check import check_manifest
    from engine.packs.plan import make_plan

    check_manifest(manifest.folder / "pack.toml", manifest)
    return make_plan(manifest)


# ------------------------------------------------------------------------------ the schema


@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_written_packs_fit_the_schema(valid, folder):
    assert valid(read_toml(folder)[1])


def test_the_example_fits_the_schema(valid):
    assert valid(tomllib.loads(EXAMPLE))


def wrong(field):
    """Values that a field does not take, each of another reason."""
    values = [[1]] if field.kind is not list else ["text"]
    if field.low is not None and field.low > -(1 << 24):
        values.append(type(field.low)(field.low - 1) if field.kind is int else field.low / 2 - 1)
    if field.high is not None:
        values.append(
            int(field.high * 2 + 1) if field.kind in (int, Fraction) else field.high * 2 + 1
        )
    if field.choices:
        values.append("no such choice")
    if field.kind is Fraction:
        values += ["x/2", "1/", 0.5]
    if field.kind in (int, float):
        values += ["1", True]
    return values if field.kind is not object else []


def spots(raw):
    """Every table of the example that a table of format 3 describes: (name, fields, table)."""
    tables = format_3.TABLES
    yield "", tables[""], raw
    yield "golden", tables["golden"], raw["golden"]
    for signal in raw["signal"]:
        yield "signal", (*tables["signal"], *KINDS[signal["kind"]].options), signal
    for stage in raw["stage"]:
        yield "stage", tables["stage"], stage
        for read in stage.get("inputs", []):
            yield "input", tables["input"], read
    for name in ("control", "encoder"):
        for table in raw[name]:
            yield name, tables[name], table
    stage = raw["stage"][0]
    for name in ("steps", "guidance"):
        yield name, tables[name], stage[name]
    yield "grid", tables["grid"], raw["signal"][0]["grid"]


def full_example():
    """The example with a text and its encoder, so that every table of the format occurs."""
    raw = tomllib.loads(EXAMPLE)
    raw["control"].append({"name": "prompt", "kind": "text", "about": "What it sounds like."})
    raw["encoder"] = [
        {"control": "prompt", "graph": "context.onnx", "tokenizer": "mean.npy", "length": 16,
         "outputs": {"embedding": "prompt"}}
    ]  # fmt: skip
    return raw


def accepted(raw, folder):
    try:
        format_3.read_format_3(folder / "pack.toml", raw)
    except PackError as error:
        return "\n" in str(error)
    return True


def variants():
    """The example with one field wrong, unknown or missing at a time."""
    names = [name for name, _, _ in spots(full_example())]
    assert set(names) == set(format_3.TABLES), "a table of the format is tested nowhere"
    for place, name in enumerate(names):
        _, fields, present = list(spots(full_example()))[place]
        cases = [(f.name, v) for f in fields for v in wrong(f)]
        cases += [(f.name, None) for f in fields if f.required and f.name in present]
        cases.append(("unknown", 1))
        for field, put in cases:
            raw = full_example()
            table = list(spots(raw))[place][2]
            if put is None:
                del table[field]
            else:
                table[field] = put
            yield f"{name}.{field} = {put!r}", raw


def test_reader_and_schema_both_take_the_full_example(valid, tmp_path):
    assert accepted(full_example(), tmp_path)
    assert valid(full_example())


def test_reader_and_schema_refuse_every_field_that_is_wrong_unknown_or_missing(valid, tmp_path):
    cases = list(variants())
    assert len(cases) > 150
    assert not [case for case, raw in cases if accepted(raw, tmp_path)], (
        "the player takes these, or says so in several lines"
    )
    assert not [case for case, raw in cases if valid(copy.deepcopy(raw))], "the schema takes these"


@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_the_schema_refuses_the_wrong_fields_of_earlier_formats(valid, folder):
    _, raw = read_toml(folder)
    several = isinstance(raw["stage"], list)
    for name, fields in earlier_formats.TABLES.items():
        for field in fields:
            for put in wrong(field):
                if name in ("", "listening") or (name == "stage" and put is True):
                    continue
                changed = copy.deepcopy(raw)
                table = changed[name]
                (table[0] if several and name == "stage" else table)[field.name] = put
                assert not valid(changed), f"{name}.{field.name} = {put!r}"
                with pytest.raises(PackError):
                    earlier_formats.read_earlier(folder / "pack.toml", changed)
