"""Which settings sound most like the data? Samplers, steps and noise levels side by side.

    python -m benchmarks.settings --eval-folder FOLDER [--held data/piano24] [--out docs]
    python -m benchmarks.settings ... --tune       the defaults' neighbourhood, best first

Frechet distances of YAMNet's embeddings to held-out piano, every row of the same number of minutes,
as the distance shrinks with the size of a cloud; "other held-out pieces" is the unit: the distance
of two halves of the same kind of music. See `benchmarks.quality` for the pack's own figures.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.embedding import Embedder, Frechet
from benchmarks.material import Held, Samples, Source, StreamRequest, recording
from benchmarks.measures import character
from engine.errors import AttaccaError

SWEEP = (
    ("dpmpp_2m", 4), ("dpmpp_2m", 6), ("dpmpp_2m", 8), ("dpmpp_2m", 12), ("dpmpp_2m", 20),
    ("ddim", 8), ("heun", 9), ("heun", 15), ("ancestral", 8), ("ping_pong", 8),
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """The reference of all distances, and the other held-out pieces."""

    embedder: Embedder
    rate: int
    held: Frechet
    real: Frechet
    others: list[Samples]  # minutes of held-out pieces that are not in the reference

    def row(self, samples: Samples) -> dict[str, float]:
        """Both distances and the piano score of a piece of sound."""
        points, piano = self.embedder.cloud(samples, self.rate)
        return {
            "held": self.held.distance(points), "real": self.real.distance(points),
            "piano": piano, "windows": len(points),
        }  # fmt: skip

    def other(self, minutes: float) -> Samples:
        """So many minutes of held-out pieces that are not in the reference."""
        return np.concatenate(self.others)[: round(minutes * 60 * self.rate)]


def prepare(args: argparse.Namespace, source: Source) -> Reference:
    rng = np.random.default_rng(args.seed)
    rate = source.manifest.rate
    held = Held(args.held, rate)
    embedder = Embedder(args.eval_folder)
    half, other = held.halves(rng)
    count = max(3, round(args.reference_minutes))
    clouds = [embedder.cloud(x, rate)[0] for x in held.minutes(half, count, rng)]
    points = np.concatenate(clouds)
    real = recording(args.eval_folder, rate)
    print(
        f"reference: {count} min of {len(half)} held-out works, {len(points)} windows", flush=True
    )
    return Reference(
        embedder, rate, Frechet(points, args.axes),
        Frechet(embedder.cloud(real, rate)[0], args.axes),
        held.minutes(other, max(1, int(np.ceil(args.try_minutes))), rng),
    )  # fmt: skip


def request_of(args: argparse.Namespace, source: Source, **changes: float | str) -> StreamRequest:
    options = {
        "steps": args.steps, "sampler": args.sampler, "temperature": args.temperature,
        "guidance": args.guidance, "stride": args.stride, "seed": args.seed,
    }  # fmt: skip
    return source.request(**{**options, **changes})


def sweep(args: argparse.Namespace, source: Source, ref: Reference) -> tuple[str, dict]:
    """Samplers and steps side by side."""
    combinations = [{"sampler": s, "steps": n} for s, n in SWEEP]
    rows, data = tried(args, source, ref, combinations)
    return f"Samplers and steps, {args.try_minutes:g} min each:\n\n{rows}", data


def tune(args: argparse.Namespace, source: Source, ref: Reference) -> tuple[str, dict]:
    """Every combination of what the options list."""
    names = {
        "sigma_max": args.tune_sigma_max, "rho": args.tune_rho, "steps": args.tune_steps,
        "temperature": args.tune_temperature, "stride": args.tune_stride,
        "guidance": args.tune_guidance, "sampler": args.tune_sampler,
    }  # fmt: skip
    combinations = [
        dict(zip(names, values, strict=True)) for values in itertools.product(*names.values())
    ]
    rows, data = tried(args, source, ref, combinations)
    return f"Settings, {args.try_minutes:g} min each, nearest first:\n\n{rows}", data


def tried(
    args: argparse.Namespace, source: Source, ref: Reference, combinations: list[dict]
) -> tuple[str, dict]:
    """Generate, measure and sort the combinations; each is printed at once."""
    length = round(args.try_minutes * 60 * ref.rate)
    unit = ref.row(ref.other(args.try_minutes))
    print(f"unit (other held-out pieces): {unit['held']:.2f}", flush=True)
    found = []
    for k, combination in enumerate(combinations):
        options = {n: combination[n] for n in ("sigma_max", "rho") if n in combination}
        controls = {n: v for n, v in combination.items() if n not in options}
        s = source.rescheduled(**options)
        stream = s.stream(args.try_minutes * 60, request_of(args, s, **controls))
        samples = stream.samples[:length]
        r = ref.row(samples) | character(samples, ref.rate) | {"cost": stream.cost}
        found.append((combination, r))
        shown = " ".join(f"{n} {v}" for n, v in combination.items())
        print(
            f"{k + 1}/{len(combinations)}: {shown}: {r['held']:.2f} "
            f"({r['held'] / unit['held']:.2f} units), recording {r['real']:.2f}, "
            f"cost {r['cost']:.3f}", flush=True,
        )  # fmt: skip
    found.sort(key=lambda pair: pair[1]["held"])
    rows = [
        [*c.values(), f"{r['held']:.2f}", f"{r['held'] / unit['held']:.2f}", f"{r['real']:.2f}",
         f"{r['piano']:.2f}", f"{r['level_db']:.1f}", f"{r['onsets']:.1f}", f"{r['cost']:.3f}"]
        for c, r in found
    ]  # fmt: skip
    empty = [""] * (len(combinations[0]) - 1)
    rows.append(
        ["other held-out pieces", *empty, f"{unit['held']:.2f}", "1.00", f"{unit['real']:.2f}",
         f"{unit['piano']:.2f}", "", "", ""]
    )  # fmt: skip
    header = [*combinations[0], "distance", "in units", "to the recording", "piano score",
              "level, dBFS", "onsets/s", "s per s"]  # fmt: skip
    return report.table(header, rows), {"unit": unit, "tried": [{**c, **r} for c, r in found]}


# ------------------------------------------------------------------- the command


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.settings", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = p.add_argument
    add("--eval-folder", type=Path, required=True, help="YAMNet and the recording")
    add("--held", type=Path, default=Path("data/piano24"), help="dataset folder")
    add("--pack", default="piano")
    add("--reference-minutes", type=float, default=30.0, help="of held-out piano")
    add("--axes", type=int, default=128, help="principal axes kept")
    add("--seed", type=int, default=1)
    for name in ("sigma-max", "rho", "temperature", "guidance", "stride"):
        add(f"--{name}", type=float, help="in place of the pack's own")
    add("--steps", type=int, help="in place of the pack's own")
    add("--sampler", help="in place of the pack's own")
    add("--tune", action="store_true", help="all combinations of the lists below instead")
    add("--try-minutes", type=float, default=2.0, help="of each row")
    add("--tune-sigma-max", type=_numbers, default=[80.0, 20.0, 10.0], metavar="A,B,...")
    add("--tune-rho", type=_numbers, default=[7.0, 5.0], metavar="A,B,...")
    add("--tune-steps", type=_counts, default=[4, 6, 8], metavar="A,B,...")
    add("--tune-temperature", type=_numbers, default=[1.0, 0.95, 0.9], metavar="A,B,...")
    add("--tune-stride", type=_numbers, default=[1.0], metavar="A,B,...")
    add("--tune-guidance", type=_numbers, default=[1.0], metavar="A,B,...")
    add("--tune-sampler", type=lambda t: t.split(","), default=["dpmpp_2m"], metavar="A,B,...")
    add("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    return p


def run(args: argparse.Namespace) -> tuple[str, str, dict]:
    """(name of the section, its text, its data)."""
    source = Source(args.pack).rescheduled(sigma_max=args.sigma_max, rho=args.rho)
    ref = prepare(args, source)
    if args.tune:
        return "tune", *tune(args, source, ref)
    return "sweep", *sweep(args, source, ref)


def main() -> int:
    args = _parser().parse_args()
    began = time.perf_counter()
    try:
        name, text, data = run(args)
    except AttaccaError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 1
    data["seconds_taken"] = round(time.perf_counter() - began, 1)
    report.deliver(name, text, data, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
