"""Is it piano, and does it stay piano? Frechet distances of generated sound to real piano.

    python -m benchmarks.quality --eval-folder FOLDER [--held data/piano16] [--out docs]
    python -m benchmarks.quality ... --sweep       samplers and steps side by side
    python -m benchmarks.quality ... --tune        the defaults' neighbourhood, best first

YAMNet's embeddings of 0.975 s windows, on the first principal axes of held-out piano. Every row of
a table has the same number of minutes, as the distance shrinks with the size of a cloud; "other
held-out pieces" is the unit: what two halves of the same kind of music are apart.
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
from benchmarks.embedding import Embedder, Frechet, level_db
from benchmarks.material import Held, Samples, Source, Stream, recording, white_noise
from benchmarks.measures import character
from engine.errors import AttaccaError

SWEEP = (
    ("dpmpp_2m", 4), ("dpmpp_2m", 6), ("dpmpp_2m", 8), ("dpmpp_2m", 12), ("dpmpp_2m", 20),
    ("ddim", 8), ("heun", 9), ("heun", 15), ("ancestral", 8), ("ping_pong", 8),
)  # fmt: skip
PAPER = ("heun", 79)  # 40 Heun steps, two evaluations each, the last one alone
MINUTE_AXES = 24  # a minute is 124 windows: too few for a covariance of 128 axes


@dataclass(frozen=True)
class Reference:
    """What distances are measured to, and what the rows beside it are made of."""

    embedder: Embedder
    rate: int
    held: Frechet
    real: Frechet
    minute: Frechet
    others: list[Samples]  # minutes of held-out pieces that are not in the reference
    real_samples: Samples

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
        Frechet(embedder.cloud(real, rate)[0], args.axes), Frechet(points, MINUTE_AXES),
        held.minutes(other, max(10, int(np.ceil(args.minutes))), rng), real,
    )  # fmt: skip


def request_of(args: argparse.Namespace, source: Source, **changes: float | str) -> object:
    given = {
        "steps": args.steps, "sampler": args.sampler, "temperature": args.temperature,
        "guidance": args.guidance, "stride": args.stride, "seed": args.seed,
    }  # fmt: skip
    return source.request(**{**given, **changes})


# ------------------------------------------------------------------- the tables


def main_table(
    args: argparse.Namespace, source: Source, ref: Reference
) -> tuple[str, dict, list[Stream]]:
    """Generated sound beside everything it should be near to or far from."""
    minutes = args.minutes
    length = round(minutes * 60 * ref.rate)
    streams = []
    for k in range(args.streams):
        wanted = request_of(args, source, seed=args.seed + k)
        streams.append(source.stream(minutes * 60, wanted))
        print(f"stream {k + 1} of {args.streams}: {streams[-1].cost:.3f} s per s", flush=True)
    other = ref.other(minutes)
    rng = np.random.default_rng(args.seed)
    sounds: dict[str, Samples] = {"other held-out pieces (unit)": other}
    sounds |= {
        f"**generated**, seed {args.seed + k}": s.samples[:length] for k, s in enumerate(streams)
    }
    sounds["those held-out pieces through this decoder (ceiling)"] = source.decoded(other)
    sounds["the real recording"] = ref.real_samples
    sounds["white noise of the same level"] = white_noise(length, level_db(other), rng)
    rows, data = measured(sounds, ref)
    data["the real recording"]["real"] = None  # to itself it is no measurement
    wanted = request_of(args, source)
    text = (
        f"{minutes:g} min a row (the recording: {ref.real_samples.size / ref.rate / 60:.1f}); "
        f"{wanted.sampler}, {wanted.steps} steps, {_schedule(source)}; {args.axes} axes.\n\n"
        + report.table(HEADER, rows)
    )  # fmt: skip
    return text, data, streams


HEADER = ("sound", "distance to held-out piano", "in units", "to the real recording", "piano score")


def measured(sounds: dict[str, Samples], ref: Reference) -> tuple[list[list[str]], dict]:
    """Rows of a table whose first is the unit, and the same as data."""
    rows, data, unit = [], {}, 0.0
    for name, samples in sounds.items():
        r = ref.row(samples)
        unit = unit or r["held"]
        own = samples is ref.real_samples
        rows.append([
            name, f"{r['held']:.2f}", f"{r['held'] / unit:.2f}",
            "0" if own else f"{r['real']:.2f}", f"{r['piano']:.2f}",
        ])  # fmt: skip
        data[name] = {**r, "units": r["held"] / unit}
    return rows, data


def few_and_many(args: argparse.Namespace, source: Source, ref: Reference) -> tuple[str, dict]:
    """The pack's few steps against the paper's forty Heun steps, over the same minutes."""
    minutes = args.many_minutes
    length = round(minutes * 60 * ref.rate)
    few, many = request_of(args, source), request_of(args, source, sampler=PAPER[0], steps=PAPER[1])
    sounds, costs = {"other held-out pieces (unit)": ref.other(minutes)}, []
    for wanted in (few, many):
        stream = source.stream(minutes * 60, wanted)
        costs.append(stream.cost)
        sounds[f"{wanted.sampler}, {wanted.steps} evaluations, {stream.cost:.3f} s per s"] = (
            stream.samples[:length]
        )
        print(f"{wanted.sampler} {wanted.steps}: {stream.cost:.3f} s per s", flush=True)
    rows, data = measured(sounds, ref)
    values = [d["held"] for d in data.values()]
    ratio = values[1] / values[2]
    text = (
        f"Few steps against the paper's 40 Heun steps, {minutes:g} min each, the same seed:\n\n"
        + report.table(HEADER, rows)
        + f"\n\nFew over many: **{ratio:.2f}** (must 1.15, aim 1.0), at "
        f"{costs[0] / costs[1]:.2f} of the cost."
    )
    return text, {"rows": data, "ratio": ratio, "costs": costs}


def drift(args: argparse.Namespace, ref: Reference, streams: list[Stream]) -> tuple[str, dict]:
    """Minutes of the generated streams beside single minutes of held-out pieces."""
    last = int(args.minutes)
    wanted = sorted({m for m in (1, 5, 10, 30, 60, last) if m <= last})
    rows, data = [], {}
    natural = [_minute(ref, x) for x in ref.others]
    for m in wanted:
        cut = slice((m - 1) * 60 * ref.rate, m * 60 * ref.rate)
        each = [_minute(ref, s.samples[cut]) for s in streams]
        mean = {k: float(np.mean([e[k] for e in each])) for k in each[0]}
        rows.append([f"minute {m}", *_cells(mean)])
        data[f"minute {m}"] = mean
    spread = {k: np.quantile([n[k] for n in natural], [0.05, 0.5, 0.95]) for k in natural[0]}
    rows.append(["single held-out minutes: 5 %, half, 95 %", *_spread_cells(spread)])
    data["held-out minutes"] = {k: list(map(float, v)) for k, v in spread.items()}
    first, final = (data[f"minute {m}"]["distance"] for m in (wanted[0], wanted[-1]))
    header = [
        "",
        f"distance ({MINUTE_AXES} axes)",
        "piano score",
        "level, dBFS",
        "centroid, Hz",
        "onsets/s",
    ]
    text = (
        f"Drift, mean of {len(streams)} stream(s):\n\n{report.table(header, rows)}\n\n"
        f"Minute {wanted[-1]} over minute 1: **{final / first:.2f}** (must 1.2, aim 1.0; one "
        "minute is a small sample, see the spread of real ones)."
    )
    return text, {"rows": data, "ratio": final / first}


def _minute(ref: Reference, samples: Samples) -> dict[str, float]:
    points, piano = ref.embedder.cloud(samples, ref.rate)
    return {"distance": ref.minute.distance(points), "piano": piano, **character(samples, ref.rate)}


_FORMS = ("{:.1f}", "{:.2f}", "{:.1f}", "{:.0f}", "{:.1f}")


def _cells(row: dict[str, float]) -> list[str]:
    return [form.format(v) for form, v in zip(_FORMS, row.values(), strict=True)]


def _spread_cells(spread: dict[str, np.ndarray]) -> list[str]:
    pairs = zip(_FORMS, spread.values(), strict=True)
    return [", ".join(form.format(v) for v in three) for form, three in pairs]


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
    """Make, measure and sort the combinations; each is printed as soon as it is known."""
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
        said = " ".join(f"{n} {v}" for n, v in combination.items())
        print(
            f"{k + 1}/{len(combinations)}: {said}: {r['held']:.2f} ({r['held'] / unit['held']:.2f} "
            f"units), recording {r['real']:.2f}, cost {r['cost']:.3f}", flush=True,
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


def _schedule(source: Source) -> str:
    stage = source.manifest.stage
    return ", ".join(f"{k} {v:g}" for k, v in stage.schedule_options.items()) or stage.schedule


# ------------------------------------------------------------------- the command


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = p.add_argument
    add("--eval-folder", type=Path, required=True, help="YAMNet and the recording")
    add("--held", type=Path, default=Path("data/piano16"), help="dataset folder")
    add("--pack", default="piano")
    add("--minutes", type=float, default=10.0, help="of each stream and of each row")
    add("--streams", type=int, default=1, help="how many streams; drift is their mean")
    add(
        "--many-minutes", type=float, default=3.0, help="of few against many steps; 0 leaves it out"
    )
    add("--reference-minutes", type=float, default=30.0, help="of held-out piano")
    add("--axes", type=int, default=128, help="principal axes kept")
    add("--seed", type=int, default=1)
    for name in ("sigma-max", "rho", "temperature", "guidance", "stride"):
        add(f"--{name}", type=float, help="in place of the pack's own")
    add("--steps", type=int, help="in place of the pack's own")
    add("--sampler", help="in place of the pack's own")
    add("--sweep", action="store_true", help="samplers and steps side by side, and nothing else")
    add("--tune", action="store_true", help="all combinations of the lists below, nothing else")
    add("--try-minutes", type=float, default=2.0, help="of each row of --sweep and --tune")
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
    if args.sweep:
        return "sweep", *sweep(args, source, ref)
    if args.tune:
        return "tune", *tune(args, source, ref)
    text, rows, streams = main_table(args, source, ref)
    parts, data = [text], {"main": rows}
    drift_text, data["drift"] = drift(args, ref, streams)
    parts.append(drift_text)
    if args.many_minutes > 0:
        many_text, data["few_and_many"] = few_and_many(args, source, ref)
        parts.append(many_text)
    return "quality", "\n\n".join(parts), data


def main() -> int:
    args = _parser().parse_args()
    if args.minutes < 1 or args.many_minutes > args.minutes or args.try_minutes > args.minutes:
        args.minutes = max(1.0, args.many_minutes, args.try_minutes)
    began = time.perf_counter()
    try:
        name, text, data = run(args)
    except AttaccaError as error:
        print(f"quality: {error}", file=sys.stderr)
        return 1
    data["seconds_taken"] = round(time.perf_counter() - began, 1)
    report.deliver(name, text, data, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
