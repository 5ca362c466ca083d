"""The project's numbers on this machine, side by side: time, latency, memory, parity.

    python -m benchmarks.numbers [--checkpoint RUN/checkpoint.pt] [--xrun-minutes 10] [--out docs]

Each row has what must hold and what is aimed at. Figures of sound (seams, steps, drift) are taken
from what the other benchmarks left in `--out`. One process, which plays through the product's own
parts; see `benchmarks.live` for the probes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.live import (
    ProbedInstrument,
    block_latencies,
    cpu_seconds,
    gain_latencies,
    growth_per_hour,
    resident_mb,
)
from engine.child_process import child_environment
from engine.errors import AttaccaError
from engine.execution.executor import make_executor
from engine.instrument import DEFAULT_LATENCY, JAM_LATENCY
from engine.output import FILL_S
from engine.pack_settings import first_sampling
from engine.packs.discovery import find_pack
from engine.packs.manifest import Manifest
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stream.generator import Generator
from engine.stream.requests import make_request
from engine.stream.self_test import self_test

# Runs the front door itself, and prints when the first block can be played.
_FRONT_DOOR = """
import sys
from engine.stream.lead import Lead
append = Lead.append
def reported(self, *arguments):
    append(self, *arguments)
    print("sound", flush=True)
    Lead.append = append
Lead.append = reported
from attacca.cli import main
sys.exit(main(["play", "--pack", {pack!r}, "--device", "none", "--no-status", "--duration", "0.1"]))
"""


@dataclass(frozen=True)
class Row:
    """One line: `value` against `must` (both in `unit`; lower is better unless `higher`).

    `short`: over less time than the bounds are meant for.
    """

    what: str
    value: float
    text: str
    must: float | None
    aim: float | None
    unit: str = ""
    higher: bool = False
    short: bool = False

    @property
    def verdict(self) -> str:
        """Against the two bounds; "so far" where it was measured for less than the bound's time."""
        for word, bound in (("aim", self.aim), ("must", self.must)):
            if bound is not None and (self.value >= bound if self.higher else self.value <= bound):
                return "so far" if self.short else word
        return "" if self.must is None else "**no**"

    def cells(self) -> list[str]:
        """As the table shows it."""
        bounds = [
            f"{b:g} {self.unit}".strip() if b is not None else "" for b in (self.must, self.aim)
        ]
        return [self.what, self.text, *bounds, self.verdict]


def blocks(args: argparse.Namespace, manifest: Manifest) -> list[Row]:
    """Block times of the generator process, and what it grows by."""
    plan, sampling, rate = make_plan(manifest), first_sampling(manifest), manifest.rate
    steps, least = sampling.steps.default, sampling.steps.least
    seconds = plan.block_samples / rate
    generator = Generator(manifest.folder, args.threads)
    times, stamps, resident = [], [], []
    generator.start()
    try:
        used = 0.0
        for k in range(args.blocks + 3):
            began = time.perf_counter()
            block = generator.make(make_request(plan, k))
            if k == 2:
                used = cpu_seconds(generator.pid or 0)
            if k >= 3:
                times.append((time.perf_counter() - began) / (len(block.samples) / rate))
            stamps.append(k * seconds)
            resident.append(resident_mb(generator.pid or 0))
        used = (cpu_seconds(generator.pid or 0) - used) / (args.blocks * seconds)
        few = [generator.make(make_request(plan, k, steps=least)).seconds for k in range(6)]
    finally:
        generator.stop()
    t = np.array(times)
    high = np.quantile(t, 0.999)
    kind = "p99.9" if len(t) >= 1000 else f"worst of {len(t)}"
    evaluation = (np.median(t) * seconds - np.median(few)) / max(1, steps - least)
    most = steps + max(0.0, (0.6 - np.quantile(t, 0.99)) * seconds / evaluation)
    return [
        Row(
            f"generation time / audio time, {sampling.sampler}, {steps} steps", float(t.mean()),
            f"{t.mean():.3f} (median {np.median(t):.3f}; processor time {used:.3f}; "
            f"{least} steps {np.median(few) / seconds:.3f})", 0.35, 0.1,
        ),
        Row(
            "block time / block duration", float(high),
            f"{kind} {high:.3f}, p99 {np.quantile(t, 0.99):.3f}", 0.6, 0.2,
        ),
        Row(
            "one evaluation; steps that would fit", evaluation * 1e3,
            f"{evaluation * 1e3:.0f} ms; about {most:.0f} within 0.6 at p99", None, None,
        ),
        Row(
            f"memory growth of the generator, {stamps[-1] / 60:.0f} min of audio",
            resident[-1] - resident[len(resident) // 3],
            f"{resident[-1] - resident[len(resident) // 3]:+.2f} MB after the first third, "
            f"{resident[-1]:.0f} MB resident", 2.0, 0.0, "MB", short=stamps[-1] < 3590,
        ),
    ]  # fmt: skip


def first_sound(args: argparse.Namespace) -> list[Row]:
    """From the start of the process until the first block is there, and out of the ring."""
    ring, taken = FILL_S, []
    for _ in range(args.starts + 1):
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _FRONT_DOOR.format(pack=args.pack)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=child_environment(),
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        taken.append(time.perf_counter() - began + ring)
        process.stdout.read()
        process.wait(30)
        if line.strip() != "sound":
            raise AttaccaError(f"`attacca play` ended with status {process.returncode}, no sound")
    warm = taken[1:]
    middle = float(np.median(warm))
    text = f"{middle:.2f} s (worst of {len(warm)}: {max(warm):.2f} s)"
    return [
        Row("first sound after `attacca play`, warm, with the ring", middle, text, 3.0, 1.0, "s")
    ]


def live_control(args: argparse.Namespace) -> list[Row]:
    """A gain step until the ring's exit follows, while the generator works."""
    rng, rows = np.random.default_rng(args.seed), []
    for name, latency in (("default", DEFAULT_LATENCY), ("jam", JAM_LATENCY)):
        begins, done = gain_latencies(args.pack, latency, args.changes, rng, args.threads)
        middle, worst = np.median(begins) * 1e3, max(begins) * 1e3
        text = (
            f"{middle:.0f} ms (worst of {len(begins)}: {worst:.0f} ms; "
            f"the smoothed change complete after {np.median(done) * 1e3:.0f} ms)"
        )
        rows.append(
            Row(f"live control to the ring's exit, {name} latency", middle, text, 50.0, 20.0, "ms")
        )
    return rows


def block_control(args: argparse.Namespace) -> list[Row]:
    """A new seed until its first block leaves the ring."""
    rng, rows = np.random.default_rng(args.seed), []
    bounds = (("default", DEFAULT_LATENCY, 3.0, 0.7), ("jam", JAM_LATENCY, 1.0, 0.2))
    for name, latency, must, aim in bounds:
        found = block_latencies(args.pack, latency, args.switches, rng, args.threads)
        waited = [s.left_ring for s in found.each if s.match > 0.9]
        lost = args.switches - len(waited)
        if not waited:
            rows.append(
                Row(f"block control until audible, {name}", np.inf, "not found", must, aim, "s")
            )
            continue
        text = (
            f"{np.median(waited):.2f} s, worst of {len(waited)} {max(waited):.2f} s; the status "
            f"had promised at most {max(s.promised for s in found.each):.2f} s"
        )
        notes = [f"{lost} not found"] * bool(lost) + [f"{found.gaps} gaps"] * bool(found.gaps)
        notes += [f"eased to {found.steps} steps"] * bool(found.eased)
        text += f" ({', '.join(notes)})" if notes else ""
        rows.append(
            Row(f"block control until audible, {name} latency", max(waited), text, must, aim, "s")
        )
    return rows


def memory(args: argparse.Namespace) -> list[Row]:
    """What the engine's process grows by while it plays live."""
    stamps, resident = [], []
    with ProbedInstrument(args.pack, threads=args.threads) as instrument:
        instrument.play("probe")
        instrument.wait_for_sound()
        card, began = instrument.card, time.perf_counter()
        assert card is not None
        while time.perf_counter() - began < args.memory_minutes * 60:
            time.sleep(0.5)
            card.times.clear()  # the probe's own memory is not the engine's
            card.periods.clear()
            instrument.noted.clear()
            instrument.status()
            stamps.append(time.perf_counter())
            resident.append(resident_mb())
        gaps = instrument.status().lead.gaps
    grown = max(resident[len(resident) // 2 :]) - resident[len(resident) // 3]
    text = (
        f"{grown:+.2f} MB over the last two thirds of {args.memory_minutes:g} min (slope "
        f"{growth_per_hour(stamps, resident):+.1f} MB/h), {resident[-1]:.0f} MB resident; "
        f"{gaps} gaps in the lead"
    )
    return [
        Row(
            "memory growth of the engine while playing",
            grown,
            text,
            2.0,
            0.0,
            "MB",
            short=args.memory_minutes < 60,
        )
    ]


def xruns(args: argparse.Namespace) -> list[Row]:
    """Underruns through PortAudio into a null sink, beside a thread that never rests."""
    import tempfile

    from engine.instrument import Instrument
    from tests.sound_servers import PULSE_PROGRAMS, missing, pulse_server

    if absent := missing(PULSE_PROGRAMS):
        print(f"xruns: left out, not installed: {', '.join(absent)}", flush=True)
        return []
    stop = threading.Event()

    def never_rest() -> None:
        n = 0
        while not stop.is_set():
            n = (n * 1103515245 + 12345) % 2**31

    with (
        tempfile.TemporaryDirectory() as folder,
        pulse_server(Path(folder)),
        Instrument(args.pack, threads=args.threads) as instrument,
    ):
        instrument.play("default")
        instrument.wait_for_sound()
        time.sleep(2.0)
        before = instrument.status()
        busy = threading.Thread(target=never_rest, daemon=True)
        busy.start()
        time.sleep(args.xrun_minutes * 60)
        after = instrument.status()
        stop.set()
        busy.join()
    count, gaps = after.xruns - before.xruns, after.lead.gaps - before.lead.gaps
    beside = f"in {args.xrun_minutes:g} min beside a busy Python thread (no window, no OSC yet)"
    short = args.xrun_minutes < 10
    return [
        Row(f"xruns {beside}", count, f"{count}, device {after.device}", 0, 0, short=short),
        Row("the lead ran dry meanwhile", gaps, f"{gaps} times", 0, 0, short=short),
    ]


def against_torch(args: argparse.Namespace, manifest: Manifest) -> list[Row]:
    """ONNX Runtime against PyTorch on the same weights, and the pack's own golden vectors."""
    test = self_test(manifest, make_executor())
    rows = [
        Row(
            "step parity, the pack's golden vectors on this machine",
            test.worst,
            f"{test.worst:.1e}",
            1e-4,
            1e-5,
        )
    ]
    if args.checkpoint is None:
        print("torch: left out without --checkpoint", flush=True)
        return rows
    try:
        from benchmarks.reference import compare

        c = compare(args.checkpoint, manifest.folder, args.rounds)
    except ImportError as error:
        print(f"torch: left out, {error.name or error} is not installed", flush=True)
        return rows
    text = (
        f"{c.faster:.2f} x ({c.torch * 1e3:.0f} against {c.onnx * 1e3:.0f} ms of one core a block)"
    )
    what = f"PyTorch eager / ONNX Runtime, same weights, {c.sampler}, {c.steps} steps, 1 thread"
    return [
        *rows,
        Row(what, c.faster, text, 1.5, 3.0, "x", higher=True),
        Row(
            "step parity, torch and ONNX", c.step_parity,
            f"{c.step_parity:.1e}; a whole block {c.block_parity:.1e}", 1e-4, 1e-5,
        ),
    ]  # fmt: skip


def of_sound(out: Path | None) -> list[Row]:
    """What the other benchmarks found, where they have been run."""
    rows: list[Row] = []
    folder = (out or Path("docs")) / "benchmarks"
    if (folder / "seams.json").is_file():
        seams = json.loads((folder / "seams.json").read_text(encoding="utf-8"))
        shares = seams["inside"]
        least = min(shares, key=shares.get)
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        rows.append(
            Row(
                f"seams inside the 95 % band of real recordings (least: {least})", shares[least],
                text, 0.95, 0.95, higher=True,
            )
        )  # fmt: skip
    if (folder / "quality.json").is_file():
        quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
        for part, key, what, must in (
            ("many", "few_many", "default evaluations / 50, Frechet distance", 1.15),
            ("endurance", "drift", "drift: last minutes of an hour / first, Frechet distance", 1.2),
        ):
            found = quality.get("parts", {}).get(part, {}).get("rows", {}).get(key)
            if found is not None:
                ratio, short = found["value"], found["short"]
                rows.append(Row(what, ratio, f"{ratio:.2f}", must, 1.0, "x", short=short))
    return rows


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.numbers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = p.add_argument
    add("--pack", default="piano")
    add("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="of the network")
    add("--blocks", type=int, default=300, help="blocks timed; 1000 for a true p99.9")
    add(
        "--starts",
        type=int,
        default=4,
        help="times `attacca play` is started, after one to warm up",
    )
    add("--changes", type=int, default=20, help="gain steps")
    add("--switches", type=int, default=6, help="changes of a block control, for each latency")
    add("--memory-minutes", type=float, default=2.0)
    add("--xrun-minutes", type=float, default=0.0, help="needs PulseAudio; 0 leaves it out")
    add("--checkpoint", type=Path, help="of a run, to compare with PyTorch; needs the export extra")
    add("--rounds", type=int, default=10, help="blocks on each side of that comparison")
    add("--only", help="parts to run, with commas: blocks,first,live,block,memory,xruns,torch")
    add("--seed", type=int, default=1)
    add("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    return p


def parts(args: argparse.Namespace, manifest: Manifest) -> dict[str, Callable[[], list[Row]]]:
    found: dict[str, Callable[[], list[Row]]] = {
        "blocks": lambda: blocks(args, manifest),
        "first": lambda: first_sound(args),
        "live": lambda: live_control(args),
        "block": lambda: block_control(args),
        "memory": lambda: memory(args),
        "xruns": lambda: xruns(args),
        "torch": lambda: against_torch(args, manifest),
    }
    if args.xrun_minutes <= 0:
        del found["xruns"]
    if args.only:
        found = {name: found[name] for name in args.only.split(",") if name in found}
    return found


def main() -> int:
    args = _parser().parse_args()
    rows: list[Row] = []
    try:
        manifest = read_manifest(find_pack(args.pack))
        for name, part in parts(args, manifest).items():
            print(f"measuring: {name}", flush=True)
            rows += part()
    except AttaccaError as error:
        print(f"numbers: {error}", file=sys.stderr)
        return 1
    rows += of_sound(args.out)
    header = ("what", "measured", "must", "aim", "met")
    text = (
        f"{manifest.title} {manifest.version}, {args.threads} thread(s) for the network.\n\n"
        + report.table(header, [r.cells() for r in rows])
    )
    report.deliver(
        "numbers", text, {"rows": [asdict(r) | {"met": r.verdict} for r in rows]}, args.out
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
