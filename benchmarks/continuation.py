"""Does it continue a phrase? Held-out phrases, each continued, against their true continuations.

    python -m benchmarks.continuation --eval-folder FOLDER [--held data/piano24] [--out docs]

A phrase of a held-out piece is the past of a new stream. The seconds after it are compared with
the piece's true continuation and with an excerpt of another piece: the nearer one wins. Nothing is
learnt here, so 50 % is chance; streams without the phrase are the control, and the same piece a
little later is the ceiling.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.embedding import Embedder, cosine_distance
from benchmarks.material import Held, Samples, Source
from benchmarks.measures import chroma, share_with_interval
from engine.errors import AttaccaError

Vector = NDArray[np.floating]


@dataclass(frozen=True)
class Case:
    """One phrase with its true continuation, and the continuation of that."""

    name: str
    phrase: Samples
    truth: Samples
    later: Samples


def cases(
    held: Held, count: int, phrase: float, after: float, rng: np.random.Generator
) -> list[Case]:
    """Phrases of different pieces; where there are fewer pieces than cases, of different places."""
    pieces = rng.permutation(held.longer_than(phrase + 2 * after + 1))
    a, b = round(phrase * held.rate), round(after * held.rate)
    found = []
    for k in range(count):
        piece = int(pieces[k % len(pieces)])
        _, x = held.excerpt(piece, phrase + 2 * after, rng)
        name = held.pieces[piece]["name"]
        found.append(Case(name, x[:a], x[a : a + b], x[a + b : a + 2 * b]))
    return found


def wins(
    generated: list[Vector], truths: list[Vector], others: list[list[int]]
) -> tuple[int, float]:
    """(how often the truth is nearer than the first of `others`, the mean share over all of them).

    `others[i]` are indices of cases from other pieces.
    """
    first, shares = 0, []
    for i, vector in enumerate(generated):
        own = cosine_distance(vector, truths[i])
        nearer = [own < cosine_distance(vector, truths[j]) for j in others[i]]
        first += nearer[0]
        shares.append(np.mean(nearer))
    return first, float(np.mean(shares))


def strangers(names: list[str], rng: np.random.Generator) -> list[list[int]]:
    """For each case the cases of other pieces, in random order."""
    return [
        [int(j) for j in rng.permutation(len(names)) if names[j] != names[i]]
        for i in range(len(names))
    ]


def run(args: argparse.Namespace) -> tuple[str, dict]:
    rng = np.random.default_rng(args.seed)
    source = Source(args.pack)
    rate = source.manifest.rate
    embedder = Embedder(args.eval_folder)
    chosen = cases(Held(args.held, rate), args.phrases, args.phrase, args.after, rng)
    request = source.request(
        steps=args.steps, sampler=args.sampler, guidance=args.guidance, temperature=args.temperature
    )
    length = round(args.after * rate)
    sounds: dict[str, list[Samples]] = {"continued": [], "without the phrase (control)": []}
    for k, case in enumerate(chosen):
        for name, past in zip(sounds, (case.phrase, None), strict=True):
            seeded = request.changed(seed=args.seed * 1000 + k)
            sounds[name].append(source.stream(args.after, seeded, past).samples[:length])
        if k % 10 == 9:
            print(f"{k + 1} of {len(chosen)} phrases continued", flush=True)
    sounds["the piece a little later (ceiling)"] = [c.later for c in chosen]
    sounds["the phrase itself"] = [c.phrase[-length:] for c in chosen]
    describe: dict[str, Callable[[Samples], Vector]] = {
        "chroma": lambda x: chroma(x, rate),
        "embedding": lambda x: _mean_embedding(embedder, x, rate),
    }
    others = strangers([c.name for c in chosen], rng)
    rows, data = [], {}
    for name, audio in sounds.items():
        cells, data[name] = [name], {}
        for kind, vector in describe.items():
            truths = [vector(c.truth) for c in chosen]
            hits, share_all = wins([vector(x) for x in audio], truths, others)
            share, low, high = share_with_interval(hits, len(chosen))
            cells += [f"{share:.0%} ({low:.0%} to {high:.0%})", f"{share_all:.1%}"]
            data[name][kind] = {
                "wins": int(hits), "of": len(chosen), "interval": [low, high],
                "against_all": share_all,
            }  # fmt: skip
        rows.append(cells)
    text = (
        f"{len(chosen)} phrases of {args.phrase:g} s from {len({c.name for c in chosen})} held-out "
        f"works; the {args.after:g} s after them; {request}, guidance "
        f"{request.settings['guidance']:g}, temperature {request.settings['temperature']:g}. How "
        "often the "
        "piece's true continuation is nearer than another piece's excerpt (chance: 50 %), with a "
        "95 % interval, and the same over all other pieces' excerpts.\n\n"
        + report.table(
            ["compared", "chroma", "over all", "embedding", "over all"], rows
        )
    )  # fmt: skip
    return text, data


def _mean_embedding(embedder: Embedder, samples: Samples, rate: int) -> Vector:
    points, _ = embedder.cloud(samples, rate)
    return points.mean(axis=0) if len(points) else np.zeros(1024)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continuation", description=__doc__)
    parser.add_argument("--eval-folder", type=Path, required=True, help="folder of YAMNet")
    parser.add_argument("--held", type=Path, default=Path("data/piano24"), help="dataset folder")
    parser.add_argument("--pack", default="piano")
    parser.add_argument("--phrases", type=int, default=50)
    parser.add_argument("--phrase", type=float, default=6.0, help="seconds")
    parser.add_argument("--after", type=float, default=4.0, help="seconds compared")
    parser.add_argument("--steps", type=int, help="in place of the pack's own")
    parser.add_argument("--sampler", help="in place of the pack's own")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md, to refresh it: docs")
    args = parser.parse_args()
    try:
        text, data = run(args)
    except AttaccaError as error:
        print(f"continuation: {error}", file=sys.stderr)
        return 1
    report.deliver("continuation", text, data, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
