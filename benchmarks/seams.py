"""Do the joins of blocks stand out? Seams against real recordings and bad joins.

    python -m benchmarks.seams --eval-folder FOLDER [--held data/piano24] [--out docs]

At every seam of a generated stream five things are measured (see `benchmarks.measures`), and the
same at random places: inside its own blocks, in held-out rendered pieces, in a real recording; and
at joins known to be bad. A seam is inside when it is no higher than 95 % of the real places.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.embedding import Embedder
from benchmarks.material import Held, Samples, Source, recording
from benchmarks.measures import SEAM_MEASURES, quantiles, seam_measures, share_with_interval
from engine.errors import AttaccaError

BAND = 0.95
CLEAR = 0.4  # seconds: interior places keep this far from a seam

Group = list[dict[str, float]]


class Gauge:
    """Measures places, all with the same crossing, and counts those it could not measure."""

    def __init__(self, embedder: Embedder, rate: int, crossing: int) -> None:
        self._embedder, self._rate, self.crossing = embedder, rate, crossing
        self.left_out = 0

    def __call__(self, samples: Samples, places: Iterable[int]) -> Group:
        """Measure all places; those near an end or in silence are counted, not returned."""
        found = [
            seam_measures(
                samples, place, self.crossing, self._rate,
                lambda x: self._embedder.at_rate(x, self._rate),
            )
            for place in places
        ]  # fmt: skip
        self.left_out += sum(f is None for f in found)
        return [f for f in found if f is not None]


def random_places(samples: Samples, rate: int, count: int, rng: np.random.Generator) -> list[int]:
    low, high = 2 * rate, samples.size - 2 * rate
    return [int(p) for p in rng.integers(low, high, count)] if high > low else []


def interior(joints: list[int], crossing: int, rate: int, rng: np.random.Generator) -> list[int]:
    """Two random places in each block, clear of its ends."""
    clear = round(CLEAR * rate) + crossing
    spans = pairwise(joints)
    return [
        int(rng.integers(a + clear, b - clear))
        for a, b in spans
        if b - a > 2 * clear
        for _ in (0, 1)
    ]


def spliced(held: Held, count: int, rng: np.random.Generator) -> tuple[Samples, list[int]]:
    """Excerpts of two seconds of different pieces cut together."""
    pieces = held.longer_than(10.0)
    parts = [held.excerpt(int(rng.choice(pieces)), 2.048, rng)[1] for _ in range(count)]
    return np.concatenate(parts), list(np.cumsum([p.size for p in parts])[:-1])


def groups(args: argparse.Namespace) -> tuple[dict[str, Group], int, str]:
    rng = np.random.default_rng(args.seed)
    source = Source(args.pack)
    rate = source.manifest.rate
    held = Held(args.held, rate)
    real = recording(args.eval_folder, rate)
    embedder = Embedder(args.eval_folder)
    request = source.request(
        steps=args.steps, sampler=args.sampler, stride=args.stride, seed=args.seed
    )
    print(f"generating {args.minutes:g} min with {request}", flush=True)
    stream = source.stream(args.minutes * 60, request)
    gauge = Gauge(embedder, rate, stream.crossing)
    n = args.places
    pieces = rng.permutation(held.longer_than(20.0))
    rendered: Group = []
    for piece in pieces:
        rendered += gauge(
            *_some(held.cut(int(piece), 0, 90 * rate), rate, -(-n // len(pieces)), rng)
        )
    bad_blocks = source.alone(args.controls, request)
    first = source.plan.block_samples - source.tail * source.hop - source.window
    joins = [first * k for k in range(1, args.controls)]
    splices = spliced(held, args.controls, rng)
    found = {
        "seams": gauge(stream.samples, stream.joints),
        "inside the blocks": gauge(
            stream.samples, interior(stream.joints, stream.crossing, rate, rng)
        ),
        "held-out pieces": rendered,
        "real recording": gauge(*_some(real, rate, n, rng)),
    }
    hard = Gauge(embedder, rate, 0)  # a cut has no crossing
    found["independent blocks, butt-joined"] = hard(bad_blocks, joins)
    found["hard splices of real pieces"] = hard(*splices)
    left = gauge.left_out + hard.left_out
    settings = request.settings
    settings_text = f"{request}, stride {settings['stride']:g}, seed {settings['seed']}"
    return found, left, settings_text


def _some(
    samples: Samples, rate: int, count: int, rng: np.random.Generator
) -> tuple[Samples, list[int]]:
    return samples, random_places(samples, rate, count, rng)


def band_of(found: dict[str, Group], rng: np.random.Generator) -> dict[str, float]:
    """Upper bounds of the real places, held-out and recording weighing the same."""
    kinds = [found["held-out pieces"], found["real recording"]]
    size = min(len(k) for k in kinds)
    pool = [k[i] for k in kinds for i in rng.permutation(len(k))[:size]]
    return {m: float(np.quantile([p[m] for p in pool], BAND)) for m in SEAM_MEASURES}


def section(
    found: dict[str, Group], band: dict[str, float], left: int, settings: str, minutes: float
) -> str:
    rows = []
    for name, group in found.items():
        cells = [name, len(group)]
        if not group:
            continue  # blocks too short to have an inside
        for m in SEAM_MEASURES:
            values = [g[m] for g in group]
            mid, high = np.quantile(values, [0.5, 0.95])
            inside = np.mean([v <= band[m] for v in values])
            cells.append(f"{mid:.2f} / {high:.2f} / {inside:.0%}")
        rows.append(cells)
    rows.append(["**bound** (95 % of real places)", "", *(f"{band[m]:.2f}" for m in SEAM_MEASURES)])
    verdicts = []
    for m in SEAM_MEASURES:
        hits = sum(g[m] <= band[m] for g in found["seams"])
        share, low, high = share_with_interval(hits, len(found["seams"]))
        word = "inside" if high >= BAND else "**outside**"
        verdicts.append(f"{m} {share:.0%} ({low:.0%} to {high:.0%}): {word}")
    inner, within = found["inside the blocks"], "not known, the blocks have no inside"
    if inner:
        own = {m: np.quantile([g[m] for g in inner], BAND) for m in SEAM_MEASURES}
        within = ", ".join(
            f"{m} {np.mean([g[m] <= own[m] for g in found['seams']]):.0%}" for m in SEAM_MEASURES
        )
    what = "; ".join(f"*{name}*: {about}" for name, about in SEAM_MEASURES.items())
    return (
        f"{minutes:g} min, {settings}. "
        "Cells: median / 95th percentile / share within the bound.\n\n"
        + report.table(["places", "n", *SEAM_MEASURES], rows)
        + f"\n\nSeams within the bound that 95 % of real places keep (in brackets the 95 % "
        "interval; inside where it reaches 95 %): "
        f"{', '.join(verdicts)}.\n\nSeams within the bound that 95 % of places inside the same "
        f"stream's blocks keep (the effect of the seam itself, not of the music): {within}.\n\n"
        f"{what}. {left} places were too quiet or too near an end."
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seams", description=__doc__)
    parser.add_argument("--eval-folder", type=Path, required=True, help="YAMNet and the recording")
    parser.add_argument("--held", type=Path, default=Path("data/piano24"), help="dataset folder")
    parser.add_argument("--pack", default="piano")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--places", type=int, default=400, help="random places in each real kind")
    parser.add_argument("--controls", type=int, default=40, help="joins of each bad kind")
    parser.add_argument("--steps", type=int, help="in place of the pack's own")
    parser.add_argument("--sampler", help="in place of the pack's own")
    parser.add_argument("--stride", type=float, help="share of a block that is kept")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    args = parser.parse_args()
    began = time.perf_counter()
    try:
        found, left, settings = groups(args)
    except AttaccaError as error:
        print(f"seams: {error}", file=sys.stderr)
        return 1
    band = band_of(found, np.random.default_rng(args.seed))
    data = {
        "inside": {
            m: float(np.mean([g[m] <= band[m] for g in found["seams"]])) for m in SEAM_MEASURES
        },
        "settings": settings, "minutes": args.minutes, "bound": band, "left_out": left,
        "seconds_taken": round(time.perf_counter() - began, 1),
        "groups": {
            name: {"n": len(g), **{m: quantiles([x[m] for x in g]) for m in SEAM_MEASURES}}
            for name, g in found.items()
        },
    }  # fmt: skip
    report.deliver("seams", section(found, band, left, settings, args.minutes), data, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
