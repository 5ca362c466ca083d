"""The plan of a pack as text: signals, stages, controls. Pure functions, any thread."""

from __future__ import annotations

from fractions import Fraction
from textwrap import wrap

from attacca.terminal.table import columns
from engine.controls.control import Control
from engine.packs.manifest import Manifest
from engine.packs.plan import InputPlan, Plan, StagePlan
from engine.representations.kinds import KINDS

__all__ = ["plan_lines"]

_WIDTH = 100


def plan_lines(manifest: Manifest, plan: Plan) -> list[str]:
    """The lines that `attacca packs show` prints."""
    m = manifest
    rate = Fraction(m.rate)
    channels = "mono" if m.channels == 1 else "stereo"
    longest = _seconds(Fraction(plan.block_samples) / rate)
    lines = [
        f"{m.name} {m.version}: {m.title}",
        *columns([
            ("  folder", str(m.folder)),
            ("  format", str(m.format)),
            ("  sound", f"{m.rate} Hz {channels}, from the signal {m.output}"),
            ("  block", f"{longest}: a block control is applied once per block"),
            ("  delay", _delay(plan.delay(m.output) / rate)),
            ("  memory", f"{_size(plan.bytes)} for signals and blocks, plus the networks"),
        ]),
        "", "signals", *_indented(columns([_HEAD, *(_signal(m, plan, s.name) for s in m.signals)])),
        "", "stages, in the order in which they run",
    ]  # fmt: skip
    for number, stage in enumerate(plan.stages, 1):
        lines += _stage(m, plan, number, stage)
    unused = [s.name for s in m.stages if plan.stage(s.output) is None]
    if unused:
        lines.append(f"  not needed for {m.output}: {', '.join(unused)}")
    lines += ["", "controls", *_indented(_controls(m.controls))]
    if m.encoders:
        rows = [
            (e.control, f"{e.graph}: up to {e.length} tokens, into {', '.join(e.outputs.values())}")
            for e in m.encoders
        ]
        lines += ["", "encoders", *_indented(columns(rows))]
    return lines


_HEAD = ("name", "kind", "rows", "rate", "keeps", "source")


def _signal(m: Manifest, plan: Plan, name: str) -> tuple[str, ...]:
    signal = m.signal(name)
    kept = plan.lengths.get(name, 0)
    producer = m.producer(name)
    rows = f"{signal.rows}" if signal.channels == 1 else f"{signal.rows} in {signal.channels}"
    keeps = f"{kept} frames" if kept else "nothing"
    if kept and signal.grid.samples:
        keeps += f", {_seconds(kept * signal.grid.samples / m.rate)}"
    if KINDS[signal.kind].written:
        keeps = "nothing"
    elsewhere = "the tempo map" if KINDS[signal.kind].written else "outside"
    source = f"stage {producer.name}" if producer else elsewhere
    return name, signal.kind, rows, _rate(m, name), keeps, source


def _rate(m: Manifest, name: str) -> str:
    grid = m.signal(name).grid
    if grid.samples is None:
        return f"{float(grid.per_beat or 0):g} per beat"
    return f"{float(m.rate / grid.samples):.6g} per second"


def _stage(m: Manifest, plan: Plan, number: int, planned: StagePlan) -> list[str]:
    stage = planned.stage
    rate = Fraction(m.rate)
    kind = stage.kind if stage.kind != "transform" else f"transform ({stage.transform})"
    rows: list[tuple[str, str]] = []
    if stage.block:
        tempo = " at 120 BPM" if m.signal(stage.output).grid.per_beat else ""
        length = _seconds(planned.block_samples / rate) + tempo
        rows.append(("block", f"{stage.block} frames, {length}"))
        unit = planned.unit
        each = _seconds(unit * planned.frame_samples / rate) + tempo
        some = f"any number of frames, {each} each"
        rows.append(("keeps", some if unit == 1 else f"multiples of {unit} frames, {each}"))
    else:
        rows.append(("block", "as long as its input"))
    rows.append(("delay", _delay(plan.delay(stage.output) / rate)))
    if stage.continues != "none":
        past = stage.read_past * planned.frame_samples / rate
        rows.append(
            ("past", f"{stage.read_past} frames, {_seconds(past)}, by {stage.continues}")
        )  # fmt: skip
    rows += [("reads", _read(m, read)) for read in planned.inputs]
    if stage.kind == "transform":
        rows.append(("reads", f"{stage.inputs[0].signal}, as it is committed"))
    if stage.kind == "diffusion":
        rows += _sampling(planned)
    if stage.controls:
        rows.append(("controls", ", ".join(stage.controls)))
    rows += [(f"{purpose}", file) for purpose, file in stage.graphs.items()]
    return [
        f"  {number}  {stage.name}: {kind} -> {stage.output}",
        *_indented(_wrapped(rows), "     "),
    ]


def _read(m: Manifest, read: InputPlan) -> str:
    own, grid = read.read, m.signal(read.read.signal).grid.samples
    text = f"{own.signal}: {own.before} frames before the block and {own.after} after it"
    if grid is None:
        return text
    before, after = own.before * grid / m.rate, own.after * grid / m.rate
    return f"{text} ({_seconds(before)} and {_seconds(after)})"


def _sampling(planned: StagePlan) -> list[tuple[str, str]]:
    stage, s = planned.stage, planned.stage.sampling
    options = {**s.schedule_options, **s.sampler_options}
    more = "".join(f", {name} {value:g}" for name, value in options.items())
    rows = [
        ("steps", f"{s.steps.default}, from {s.steps.least} to {s.steps.most}"),
        ("sampler", f"{s.sampler} on {s.schedule}{more}"),
    ]
    if stage.resample:
        rounds = f"every interval {stage.resample} times, {stage.overlap} frames of overlap"
        rows.append(("resamples", rounds))
    if s.guidance.branch:
        what = {"past": "its past", "controls": "its controls"}[s.guidance.branch]
        rows.append(("guidance", f"by {what}, scale {s.guidance.scale:g}"))
    return rows


def _controls(controls: tuple[Control, ...]) -> list[str]:
    if not controls:
        return ["none"]
    rows = [(c.name, c.kind.replace("_", " "), c.span(), _default(c)) for c in controls]
    return columns([("name", "kind", "values", "default"), *rows])


def _default(control: Control) -> str:
    value = control.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g} {control.unit}".strip()
    return str(value) if value not in ("", ()) else "none"


def _wrapped(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns, long texts on several lines."""
    cells = [
        (name if i == 0 else "", part)
        for name, text in rows
        for i, part in enumerate(wrap(text, _WIDTH - 16) or [""])
    ]
    return columns(cells)


def _delay(seconds: Fraction) -> str:
    return f"{_seconds(seconds)} behind the earliest stage" if seconds else "none"


def _seconds(seconds: Fraction) -> str:
    value = float(seconds)
    return f"{value:.3f} s" if value >= 0.01 or not value else f"{value * 1000:.3g} ms"


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / 1024:.0f} KiB"


def _indented(lines: list[str], by: str = "  ") -> list[str]:
    return [by + line for line in lines]
