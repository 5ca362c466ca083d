"""`attacca bench`: measure whether a pack plays on this machine, and with how many steps."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from typing import TYPE_CHECKING, Any

from attacca.options import add_target, checked
from engine.arguments import LATENCIES
from engine.controls.control import Control

if TYPE_CHECKING:
    from attacca.measuring import Report
    from engine.packs.manifest import Manifest

__all__ = ["add", "run"]

_SECONDS = Control("seconds", "number", 40.0, "block", "", 1.0, 86400.0, "s")
_THREADS = Control("threads", "whole", 1, "block", "", 1, 256)


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "bench",
        help="measure how well a pack runs on this machine",
        description=__doc__,
        allow_abbrev=False,
    )
    parser.add_argument("pack", nargs="?", default="piano", metavar="PACK")
    parser.add_argument(
        "--seconds", type=checked(_SECONDS), default=40.0, metavar="S",
        help="how long to measure (40); a longer run finds more of the rare slow blocks",
    )  # fmt: skip
    parser.add_argument("--threads", type=checked(_THREADS), metavar="N")
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print. Returns the exit status."""
    from attacca.measuring import measure
    from attacca.pack import Pack
    from engine.cores import usable_cores
    from engine.errors import StorageError, WorkerError
    from engine.packs.verdicts import keep_verdict
    from engine.stream.generator import Generator, GeneratorDied
    from engine.time.clock import SystemClock

    manifest = Pack.open(args.pack).manifest
    threads = args.threads or max(1, usable_cores() - 1)

    def say(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[Kmeasuring: {text}", end="", file=sys.stderr, flush=True)

    generator = Generator(manifest.folder, threads, args.target)
    try:
        first, reports = measure(
            manifest, generator, LATENCIES, args.seconds, clock=SystemClock(), say=say
        )
    except GeneratorDied as error:
        raise WorkerError(f"the generator ended during the measurement: {error}") from error
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    result = _result(manifest, threads, first, reports)
    try:
        keep_verdict(manifest.name, manifest.version, result["verdict"])
    except StorageError as error:
        print(f"attacca: {error}; the window will not show this result", file=sys.stderr)
    print(json.dumps(result, indent=2) if args.json else "\n".join(_lines(result)))
    return 0


def _result(
    manifest: Manifest, threads: int, first: float, reports: list[Report]
) -> dict[str, Any]:
    """All results as plain data, times in seconds."""
    from engine.cores import usable_cores

    return {
        "pack": manifest.name,
        "version": manifest.version,
        "machine": platform.machine(),
        "cores": usable_cores(),
        "threads": threads,
        "first_sound": round(first, 4),
        "latencies": [
            {
                "name": r.name, "latency": r.latency, "block": round(r.times.duration, 4),
                "steps": r.times.steps, "blocks": len(r.times.took),
                "real_time_factor": round(r.times.factor, 4),
                "p50": round(r.times.at(50), 4), "p99": round(r.times.at(99), 4),
                "p99.9": round(r.times.at(99.9), 4), "max": round(max(r.times.took), 4),
                "load_p99.9": round(r.times.load, 4),
                "sustained_steps": r.sustained.steps, "sustained_basis": r.sustained.basis,
            }
            for r in reports
        ],
        "verdict": verdict(manifest, reports),
    }  # fmt: skip


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['pack']} {result['version']} on {result['cores']} cores ({result['machine']}), "
        f"network on {result['threads']}",
        f"first sound  {result['first_sound']:.2f} s after the generator starts",
    ]
    for r in result["latencies"]:
        lines += [
            f"{r['name']} latency ({r['latency']:g} s): {r['blocks']} blocks of {r['block']:.2f} s,"
            f" {r['steps']} steps",
            f"  real-time factor  {r['real_time_factor']:.3f}",
            f"  block time        p50 {r['p50']:.3f}  p99 {r['p99']:.3f}  p99.9 {r['p99.9']:.3f}  "
            f"max {r['max']:.3f} s",
            f"  p99.9 of a block  {r['load_p99.9']:.2f} (at most 0.60)",
            f"  most steps        {r['sustained_steps']} ({r['sustained_basis']})",
        ]
    return [*lines, result["verdict"]]


def verdict(manifest: Manifest, reports: list[Report]) -> str:
    """The result in one sentence."""
    from attacca.measuring import BOUND

    main, name, floor = reports[0], manifest.name, manifest.least_steps
    steps, most = main.times.steps, main.sustained.steps
    if main.times.load <= BOUND:
        text = f"{name} plays here at its default of {steps} steps; this machine can take {most}"
    elif most >= floor:
        text = f"{name} plays here with --steps {most}, below its default of {steps}"
    elif main.times.factor < 1.0:
        text = f"{name} only just plays here: expect fewer steps and gaps under load"
    else:
        return f"{name} cannot play on this machine in real time; `attacca render` still works."
    for other in reports[1:]:
        if other.sustained.steps >= floor:
            text += f", and {other.sustained.steps} with --latency {other.name}"
        else:
            text += f", and --latency {other.name} is too short for this machine"
    return text + "."
