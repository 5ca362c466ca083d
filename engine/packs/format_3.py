"""Format 3 of `pack.toml`: signals, stages, controls, encoders. Any thread, any process.

The tables below are the specification: docs/packs.md and docs/pack.schema.json are generated from
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from engine.controls.pack_controls import CONTROL_FIELDS, read_controls
from engine.errors import PackError
from engine.fields import Field, read_table
from engine.packs.manifest import Encoder, Manifest
from engine.packs.stages import CONTINUES, KINDS, Guidance, Input, Sampling, Stage, Steps
from engine.representations.kinds import KINDS as REPRESENTATIONS
from engine.representations.kinds import TRANSFORMS
from engine.representations.signals import Grid, Signal
from engine.sampling.replace import DEFAULT_ROUNDS, default_overlap

__all__ = ["LISTS", "STAGE_FIELDS", "TABLES", "read_format_3"]

_WHOLE = 1 << 24
_MOST = 64  # tables of one kind, such as [[stage]]

TABLES: Mapping[str, tuple[Field, ...]] = {
    "": (
        Field("format", int, "version of this file: 3", 3, 3),
        Field("name", str, "short name: letters, digits, dots and dashes; also its folder's name"),
        Field("title", str, "one line for people"),
        Field("version", str, "the pack's own version"),
        Field("licence", str, "SPDX identifier of the weights' licence"),
        Field("credits", list, "lines that must be shown with it", default=(), required=False),
        Field("rate", int, "samples per second", 4000, 192000),
        Field("channels", int, "1 mono, 2 stereo", 1, 2),
        Field("output", str, "the signal that is played; its kind is samples"),
        Field("transcription", str, "file: basic-pitch's ONNX graph, which finds notes in audio",
              default="", required=False),
    ),
    "signal": (
        Field("name", str, "a word; stages name it as an input or output"),
        Field("kind", str, "representation of a frame", choices=tuple(REPRESENTATIONS)),
        Field("rows", int, "numbers in a frame, all channels together; of samples: their channels; "
              "of bars: 3", 0, _WHOLE, default=0, required=False),
        Field("channels", int, "channels that the frame describes; 0: those of the pack", 0, 2,
              default=0, required=False),
        Field("grid", dict, "samples: samples per frame at the pack's rate, a whole number or a "
              'fraction such as "441/2"; or per_beat: frames per beat', default={},
              required=False),
        Field("empty", str, "file: float32 .npy [rows], the frame that stands for no past; "
              "empty: that of the kind", default="", required=False),
    ),
    "grid": (
        Field("samples", Fraction, "samples per frame", 1 / 1024, _WHOLE,
              default=Fraction(0), required=False),
        Field("per_beat", Fraction, "frames per beat", 1 / 64, 1024,
              default=Fraction(0), required=False),
    ),
    "stage": (
        Field("output", str, "the signal that it produces"),
        Field("name", str, "of the stage; empty: that of its output", default="", required=False),
        Field("kind", str, "diffusion: sampled step by step; network: one evaluation; transform: "
              "built in", choices=KINDS),
        Field("transform", str, "of a transform: "
              + "; ".join(f"{name}, {about}" for name, about in TRANSFORMS.items()),
              choices=("", *TRANSFORMS), default="", required=False),
        Field("inputs", list, "tables of what it reads of other signals", default=(),
              required=False),
        Field("continues", str, "how a block reads its own past: none; embed, the block before; "
              "prefix, clean frames before it; cache, through tensors that a read graph keeps; "
              "replace, by overwriting frames of a network trained without a past",
              choices=CONTINUES, default="none", required=False),
        Field("block", int, "frames of one run; a transform has none", 1, _WHOLE, default=0,
              required=False),
        Field("past", int, "frames of its own past that a run reads", 1, _WHOLE, default=0,
              required=False),
        Field("overlap", int, "of replace: provisional frames at the end of the past that are "
              "sampled again; left out: an eighth of the past, at least 1", 0, _WHOLE,
              default=None, required=False),
        Field("resample", int, "of replace: how often each interval of the sampler is run", 1, 16,
              default=DEFAULT_ROUNDS, required=False),
        Field("graphs", dict, "files: step, context and final of diffusion, read of a cache, run "
              "of a network", default={}, required=False),
        Field("schedule", dict, "noise levels: kind, and the options of that kind", default={},
              required=False),
        Field("sampler", dict, "default sampler: kind, and the options of that kind", default={},
              required=False),
        Field("steps", dict, "network evaluations for a block: least, default, most", default={},
              required=False),
        Field("guidance", dict, "classifier-free guidance: branch, scale, every", default={},
              required=False),
        Field("sigma_data", float, "standard deviation of the data", 1e-3, 1e3, default=0.5,
              required=False),
        Field("temperature", float, "default scale of the noise that a block starts from", 0.0,
              2.0, default=1.0, required=False),
        Field("controls", list, "controls that it reads", default=(), required=False),
    ),
    "input": (
        Field("signal", str, "what it reads"),
        Field("before", int, "frames of that signal before the block", 0, _WHOLE, default=0,
              required=False),
        Field("after", int, "frames of that signal beyond the block", 0, _WHOLE, default=0,
              required=False),
        Field("graph_input", str, "the tensor that receives them; empty: the signal's name",
              default="", required=False),
    ),
    "steps": (
        Field("least", int, "the governor goes no lower", 1, 200, default=1, required=False),
        Field("default", int, "without a performer's wish", 1, 200),
        Field("most", int, "the highest quality", 1, 200, default=0, required=False),
    ),
    "guidance": (
        Field("branch", str, "what the network was trained without at times",
              choices=("past", "controls")),
        Field("scale", float, "default scale; 1 is none", 0.0, 20.0, default=1.0, required=False),
        Field("every", int, "rows of the sampler for one evaluation of the branch without", 1, 200,
              default=2, required=False),
    ),
    "control": CONTROL_FIELDS,
    "encoder": (
        Field("control", str, "the text control that it reads"),
        Field("graph", str, "file: ONNX graph, (tokens, mask) -> tensors"),
        Field("tokenizer", str, "file: tokenizer.json of the library tokenizers"),
        Field("length", int, "tokens of its input", 1, 4096),
        Field("outputs", dict, "its outputs, each with the input of the stages' graphs that "
              "receives it"),
    ),
    "golden": (
        Field("file", str, "file: .npz of inputs and outputs for the self-test"),
        Field("tolerance", float, "largest difference over the output's deviation", 0.0, 1.0),
    ),
}  # fmt: skip
# The fields of a stage beside output, name and kind: those that a kind needs, those it may have.
STAGE_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "diffusion": (
        ("block", "graphs", "steps"),
        ("inputs", "continues", "past", "overlap", "resample", "schedule", "sampler", "guidance",
         "sigma_data", "temperature", "controls"),
    ),
    "network": (("block", "graphs"), ("inputs", "controls")),
    "transform": (("transform", "inputs"), ()),
}  # fmt: skip
LISTS = ("signal", "stage", "control", "encoder")  # written [[signal]] and so on
_NESTED = ("grid", "input", "steps", "guidance")  # written inside of others
_TOP = ("golden", "files", *LISTS)


def read_format_3(path: Path, raw: Mapping[str, Any]) -> Manifest:
    """Read a manifest of format 3.

    Raises
    ------
    PackError
        One line: what is missing or wrong, where, and what it takes.
    """
    where = str(path)
    head = read_table(where, "", TABLES[""], {k: v for k, v in raw.items() if k not in _TOP})
    golden = read_table(where, "golden", TABLES["golden"], raw.get("golden"))
    files = raw.get("files")
    if not isinstance(files, dict) or not all(isinstance(v, str) for v in files.values()):
        raise PackError(f"{path}: table [files] is missing; it maps each file to its SHA-256")
    signals = [_signal(where, t, head["channels"]) for t in _list(where, raw, "signal")]
    stages: list[Stage] = []
    for table in _list(where, raw, "stage"):
        number = sum(stage.kind == "diffusion" for stage in stages)
        stages.append(_stage(where, table, number))
    encoders = [_encoder(where, t) for t in _list(where, raw, "encoder")]
    return Manifest(
        folder=path.parent,
        format=head["format"],
        name=head["name"], title=head["title"], version=head["version"],
        licence=head["licence"], credits=tuple(map(str, head["credits"])),
        rate=head["rate"], channels=head["channels"],
        output=head["output"],
        signals=tuple(signals),
        stages=tuple(stages),
        controls=read_controls(where, _list(where, raw, "control")),
        encoders=tuple(encoders),
        transcription=head["transcription"],
        golden=golden["file"], tolerance=golden["tolerance"],
        files=files,
    )  # fmt: skip


def _list(where: str, raw: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    tables = raw.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise PackError(f"{where}: {name} is no list of tables; write [[{name}]] above each")
    if not tables and name in ("signal", "stage"):
        raise PackError(f"{where}: table [[{name}]] is missing; a pack has one or more")
    if len(tables) > _MOST:
        raise PackError(f"{where}: {len(tables)} tables [[{name}]]; use {_MOST} at most")
    return cast("list[dict[str, Any]]", tables)


def _signal(where: str, table: dict[str, Any], channels: int) -> Signal:
    kind = str(table.get("kind"))
    if kind not in REPRESENTATIONS:
        known = ", ".join(REPRESENTATIONS)
        raise PackError(f"{where}: signal.kind is {kind!r}; it takes {known}")
    own: Sequence[Field] = REPRESENTATIONS[kind].options
    fixed = REPRESENTATIONS[kind].rows
    values = read_table(where, "signal", (*TABLES["signal"], *own), table)
    options = {f.name: values[f.name] for f in own}
    channels = 1 if fixed else values["channels"] or channels
    rows = values["rows"] or (channels if kind == "samples" else fixed)
    if not rows or rows % channels:
        raise PackError(
            f"{where}: signal.rows of {values['name']!r} is {rows}; use a multiple of its "
            f"{channels} channels"
        )
    grid = read_table(where, "signal.grid", TABLES["grid"], values["grid"])
    if not grid["samples"] and not grid["per_beat"]:
        grid["samples"] = Fraction(kind == "samples")
    if bool(grid["samples"]) == bool(grid["per_beat"]):
        raise PackError(
            f"{where}: signal.grid of {values['name']!r} is {dict(values['grid'])}; use either "
            "samples or per_beat"
        )
    return Signal(
        name=values["name"], kind=kind,
        rows=rows,
        channels=channels,
        grid=Grid(grid["samples"] or None, grid["per_beat"] or None),
        empty=values["empty"], options=options,
    )  # fmt: skip


def _stage(where: str, table: dict[str, Any], number: int) -> Stage:
    values = read_table(where, "stage", TABLES["stage"], table)
    _check_fields(where, values["kind"], table)
    inputs: list[Input] = []
    for entry in values["inputs"]:
        read = read_table(where, "input", TABLES["input"], entry)
        read["graph_input"] = read["graph_input"] or read["signal"]
        inputs.append(Input(**read))
    replaces = values["continues"] == "replace"
    overlap = values["overlap"]
    if overlap is None:
        overlap = default_overlap(values["past"])
    return Stage(
        name=values["name"] or values["output"],
        kind=values["kind"],
        output=values["output"],
        inputs=tuple(inputs),
        continues=values["continues"],
        block=values["block"],
        past=values["past"],
        overlap=overlap if replaces else 0,
        resample=values["resample"] if replaces else 0,
        graphs={str(k): str(v) for k, v in values["graphs"].items()},
        transform=values["transform"],
        sampling=_sampling(where, values),
        controls=tuple(map(str, values["controls"])),
        noise_key=number,
    )


def _encoder(where: str, table: dict[str, Any]) -> Encoder:
    values = read_table(where, "encoder", TABLES["encoder"], table)
    names = list(values["outputs"].values())
    if not names or not all(isinstance(name, str) and name for name in names):
        raise PackError(
            f"{where}: encoder.outputs is {values['outputs']}; use names of graph inputs in quotes"
        )
    return Encoder(**values)


def _check_fields(where: str, kind: str, table: Mapping[str, Any]) -> None:
    """Refuse fields that mean nothing in a stage of that kind: somebody expects them to work."""
    line = f"{where}: stage {table['output']!r}"
    needed, able = STAGE_FIELDS[kind]
    for name in needed:
        if not table.get(name):
            raise PackError(f"{line}: {name} is missing; a {kind} stage needs it")
    for name in table:
        if name not in ("output", "name", "kind", *needed, *able):
            raise PackError(f"{line}: a {kind} stage has no {name}; leave it out")
        if name in ("overlap", "resample") and table.get("continues") != "replace":
            raise PackError(f"{line}: {name} is of continues = 'replace'; leave it out")


def _sampling(where: str, values: Mapping[str, Any]) -> Sampling:
    default = Sampling()
    if values["kind"] != "diffusion":
        return default
    schedule = _kind(where, "schedule", values["schedule"], default.schedule)
    sampler = _kind(where, "sampler", values["sampler"], default.sampler)
    steps = read_table(where, "steps", TABLES["steps"], values["steps"])
    guidance = Guidance()
    if values["guidance"]:
        found = read_table(where, "guidance", TABLES["guidance"], values["guidance"])
        guidance = Guidance(found["branch"], found["scale"], found["every"])
    return Sampling(
        schedule[0], schedule[1], sampler[0], sampler[1],
        Steps(steps["least"], steps["default"], steps["most"] or 200),
        guidance, values["sigma_data"], values["temperature"],
    )  # fmt: skip


def _kind(
    where: str, name: str, table: Mapping[str, Any], default: str
) -> tuple[str, dict[str, float]]:
    """A table such as { kind = "karras", rho = 5.0 }: its kind and its options."""
    options = {str(k): v for k, v in table.items() if k != "kind"}
    for key, value in options.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise PackError(f"{where}: stage.{name}.{key} is {value!r}; use a number")
    kind = table.get("kind", default)
    if not isinstance(kind, str):
        raise PackError(f"{where}: stage.{name}.kind is {kind!r}; use a name in quotes")
    return kind, options  # whole numbers stay whole: some options are counts
