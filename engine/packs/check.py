"""Checks whether this player can play a pack whose fields are valid.

Pure data: any thread, any process. The plan (engine/packs/plan.py) checks the timing of stages; the
graphs are checked when they are opened.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engine.errors import ConfigError, PackError
from engine.packs.manifest import Manifest
from engine.packs.plan import make_plan
from engine.packs.stages import Stage
from engine.representations.kinds import KINDS as REPRESENTATIONS
from engine.representations.signals import Signal
from engine.sampling.samplers import table_for
from engine.sampling.schedules import Schedule, make_schedule

__all__ = ["check_manifest"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENGINE_CONTROLS = ("temperature",)  # controls of the engine that a stage may use
_RESERVED = ("x", "alpha", "sigma", "previous", "past", "present", "position", "count")
_GRAPHS = {"diffusion": ("step", "context", "final", "read"), "network": ("run",), "transform": ()}
_REQUIRED = {"diffusion": ("step",), "network": ("run",), "transform": ()}


def check_manifest(path: Path, manifest: Manifest) -> None:
    """Refuse values that are valid but cannot be played.

    Raises
    ------
    PackError
        A field has such a value.
    """
    if not _NAME.fullmatch(manifest.name):
        raise PackError(
            f"{path}: pack.name is {manifest.name!r}; use letters, digits, dots and dashes"
        )
    _check_names(path, manifest)
    _check_encoders(path, manifest)
    listed = [manifest.golden, *filter(None, [manifest.transcription])]
    for encoder in manifest.encoders:
        listed += [encoder.graph, encoder.tokenizer]
    for signal in manifest.signals:
        kind = REPRESENTATIONS[signal.kind]
        _check_window(path, signal)
        listed += [str(signal.options[name]) for name in kind.files if signal.options.get(name)]
        listed += [signal.empty] if isinstance(signal.empty, str) and signal.empty else []
    for stage in manifest.stages:
        _check_stage(path, manifest, stage)
        listed += stage.graphs.values()
    for name in listed:
        manifest.path(name)
    make_plan(manifest)


def _check_window(path: Path, signal: Signal) -> None:
    window, hop = signal.options.get("window"), signal.grid.samples
    if window is None or hop is None:
        return
    if window % 2 or hop.denominator > 1 or window % int(hop) or window < 2 * hop:
        raise PackError(
            f"{path}: signal {signal.name!r}: window is {window} with hop {hop}; the window has to "
            "be even and a multiple of the hop, at least twice"
        )


def _check_names(path: Path, manifest: Manifest) -> None:
    signals = [signal.name for signal in manifest.signals]
    outputs = [stage.output for stage in manifest.stages]
    for what, names in (("signal", signals), ("stage", [s.name for s in manifest.stages])):
        for name in names:
            if not name.isidentifier() or names.count(name) > 1:
                raise PackError(f"{path}: {what} {name!r}: use a different word for each")
    for name in outputs:
        if name not in signals:
            known = ", ".join(signals)
            raise PackError(f"{path}: stage.output is {name!r}; the signals are {known}")
        if outputs.count(name) > 1:
            raise PackError(f"{path}: signal {name!r} is the output of two stages; use one")
        if REPRESENTATIONS[manifest.signal(name).kind].written:
            kind = manifest.signal(name).kind
            raise PackError(
                f"{path}: stage.output is {name!r}; the player writes signals of {kind}"
            )
    if manifest.output not in outputs or manifest.signal(manifest.output).kind != "samples":
        raise PackError(
            f"{path}: output is {manifest.output!r}; use a signal of kind samples that a "
            "stage produces"
        )
    sound = manifest.signal(manifest.output)
    if sound.rows != manifest.channels:
        raise PackError(f"{path}: channels is {manifest.channels}; the output has {sound.rows}")
    if sound.grid.samples != 1:
        raise PackError(
            f"{path}: output is {manifest.output!r}, which is not at the pack's rate; add a stage "
            "that converts it"
        )


def _check_encoders(path: Path, manifest: Manifest) -> None:
    texts = [control.short for control in manifest.controls if control.kind == "text"]
    for encoder in manifest.encoders:
        if encoder.control not in texts:
            raise PackError(
                f"{path}: encoder.control is {encoder.control!r}; the texts of the pack are "
                f"{', '.join(texts) or 'none'}"
            )


def _check_stage(path: Path, manifest: Manifest, stage: Stage) -> None:
    where = f"{path}: stage {stage.name!r}"
    signals = [signal.name for signal in manifest.signals]
    for read in stage.inputs:
        if read.signal not in signals:
            raise PackError(
                f"{where}: input {read.signal!r} is not a signal; known are {', '.join(signals)}"
            )
    for name in stage.graphs:
        if name not in _GRAPHS[stage.kind]:
            takes = ", ".join(_GRAPHS[stage.kind]) or "none"
            raise PackError(
                f"{where}: graphs.{name} is unknown; a {stage.kind} stage takes {takes}"
            )
    for name in _REQUIRED[stage.kind]:
        if name not in stage.graphs:
            raise PackError(f"{where}: graphs.{name} is missing")
    known = {control.short for control in manifest.controls} | set(_ENGINE_CONTROLS)
    for control in stage.controls:
        if control not in known:
            raise PackError(
                f"{where}: control {control!r} is unknown; the pack's are "
                f"{', '.join(sorted(known)) or 'none'}"
            )
    _check_kind(where, stage)
    if stage.kind == "transform":
        _check_transform(where, manifest, stage)
        return
    _check_graph_inputs(where, manifest, stage)
    if stage.kind == "diffusion":
        _check_sampling(where, stage)


def _check_transform(where: str, manifest: Manifest, stage: Stage) -> None:
    """A transform turns the frames that another stage commits into samples of as many channels, or
    a roll on beats into one on samples.
    """
    source, output = manifest.signal(stage.inputs[0].signal), manifest.signal(stage.output)
    if manifest.producer(source.name) is None:
        raise PackError(f"{where}: no stage produces {source.name!r}, which it reads")
    if stage.transform == "perform":
        rolls = (source.kind, output.kind) == ("roll", "roll")
        if not rolls or source.grid.per_beat is None or output.grid.samples is None:
            raise PackError(
                f"{where}: it performs {source.name!r} as {output.name!r}; use a roll with a grid "
                "per_beat as input, and a roll with a grid of samples as output"
            )
        return
    if output.kind != "samples" or output.grid.samples != 1 or output.rows != source.channels:
        raise PackError(
            f"{where}: its output {output.name!r} has to be of kind samples, at the pack's rate, "
            f"with the channels of {source.name!r}: {source.channels}"
        )


def _check_graph_inputs(where: str, manifest: Manifest, stage: Stage) -> None:
    """No two things may feed one input of a stage's graphs."""
    controls = [c for c in manifest.controls if c.short in stage.controls]
    texts = [c.short for c in controls if c.kind == "text"]
    encoders = [e for e in manifest.encoders if e.control in texts]
    unread = sorted(set(texts) - {e.control for e in encoders})
    if unread:
        raise PackError(f"{where}: text {unread[0]!r} has no [[encoder]]; add one")
    names = [read.graph_input for read in stage.inputs]
    names += [c.graph_input for c in controls if c.kind != "text"]
    names += [name for encoder in encoders for name in encoder.outputs.values()]
    for name in names:
        if name in _RESERVED:
            raise PackError(f"{where}: graph_input {name!r} is reserved; use another name")
        if names.count(name) > 1:
            raise PackError(f"{where}: graph_input {name!r} has two sources; use two names")


def _check_kind(where: str, stage: Stage) -> None:
    if stage.kind == "transform":
        if len(stage.inputs) != 1:
            raise PackError(f"{where}: {len(stage.inputs)} inputs; a transform has one")
        read = stage.inputs[0]
        if read.before or read.after:
            raise PackError(
                f"{where}: input {read.signal!r} has before or after; a transform takes what its "
                "input commits, so leave them out"
            )
        return
    needs_past = stage.continues in ("prefix", "cache", "replace")
    if needs_past and not stage.past:
        raise PackError(f"{where}: past is missing; continues = {stage.continues!r} needs it")
    if stage.past and not needs_past:
        raise PackError(f"{where}: past is {stage.past}; continues = {stage.continues!r} has none")
    if stage.overlap > stage.past:
        raise PackError(f"{where}: overlap is {stage.overlap}; use 0 to past, {stage.past}")
    if (stage.continues == "cache") != ("read" in stage.graphs):
        raise PackError(f"{where}: use graphs.read with continues = 'cache' only")


def _check_sampling(where: str, stage: Stage) -> None:
    sampling = stage.sampling
    steps = sampling.steps
    if sampling.guidance.branch == "past" and stage.continues not in ("embed", "prefix"):
        raise PackError(
            f"{where}: guidance.branch is 'past'; continues = {stage.continues!r} takes controls"
        )
    if "final" in stage.graphs and steps.least < 2:
        raise PackError(f"{where}: steps.least is {steps.least}; with graphs.final, use 2")
    if not steps.least <= steps.default <= steps.most:
        raise PackError(
            f"{where}: steps are {steps.least}, {steps.default}, {steps.most}; least, default and "
            "most have to rise"
        )

    def schedule(intervals: int) -> Schedule:
        return make_schedule(sampling.schedule, intervals, **sampling.schedule_options)

    try:
        # Some samplers fail with replace only for many intervals, so check `most` too.
        for count in {steps.least, steps.default, steps.most if stage.resample else steps.default}:
            options = sampling.sampler_options
            table = table_for(sampling.sampler, count, schedule, resample=stage.resample, **options)
            columns = (table.alpha, table.sigma, table.a, table.b, table.c, table.d)
            if not all(np.isfinite(column).all() for column in columns):
                options = dict(sampling.schedule_options)
                raise ConfigError(f"schedule_options {options}: not finite")
    except (ConfigError, TypeError, ValueError, ArithmeticError) as error:
        raise PackError(f"{where}: {error}") from error
