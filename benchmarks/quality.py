"""The shipped pack against its required figures: measured, written down, pictured.

    python -m benchmarks.quality --eval-folder FOLDER --held data/piano24 [--first-pack FOLDER] \\
        [--only decoder,generated,...] --out docs

Every part prints its rows with their bounds (must and aim), and puts them into
`docs/benchmarks/quality.json` and the table of `docs/quality.md`, where other parts' rows stay as
they are; so parts can be measured one after another. Streams and embeddings are kept in `--work`
and used again for the same options. One process; only `speed` runs in real time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import report
from benchmarks.decoder import decoder
from benchmarks.distances import first, generated, many
from benchmarks.endurance import endurance
from benchmarks.figures import Found, Results
from benchmarks.keys import events, held
from benchmarks.listening import listening
from benchmarks.novelty import novelty
from benchmarks.obedience import harmony, levels
from benchmarks.speed import speed
from benchmarks.timbre import timbre
from benchmarks.workbench import Workbench
from engine.errors import AttaccaError, ConfigError

PARTS: Mapping[str, Callable[[Workbench], Found]] = {
    "decoder": decoder, "generated": generated, "first": first, "many": many,
    "endurance": endurance, "novelty": novelty, "harmony": harmony, "levels": levels,
    "timbre": timbre, "held": held, "events": events, "speed": speed, "pictures": listening,
}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = p.add_argument
    add("--eval-folder", type=Path, required=True, help="YAMNet and basic-pitch")
    add("--held", type=Path, default=Path("data/piano24"), help="dataset folder")
    add("--notes", type=Path, default=Path("data/notes"), help="dataset of notes, for phrases")
    add("--kit", type=Path, help="sampled pianos, to measure how many notes are found in them")
    add("--first-pack", type=Path, help="folder of the first pack, or of sound it rendered")
    add("--pack", default="piano")
    add("--only", help=f"parts, with commas: {','.join(PARTS)}")
    add("--work", type=Path, default=Path("runs/quality"), help="streams and embeddings kept")
    add("--minutes", type=float, default=5.0, help="of each stream")
    add("--streams", type=int, default=8, help="with instruments and rooms of their own")
    add("--reference-minutes", type=int, default=40, help="of each half of the held-out works")
    add("--decoder-minutes", type=float, default=20.0)
    add("--first-minutes", type=float, default=10.0, help="of the first pack")
    add("--many-minutes", type=float, default=1.0, help="of each stream with 50 evaluations")
    add("--endurance-minutes", type=float, default=60.0)
    add("--events-seconds", type=float, default=60.0, help="of each stream, for notes and sound")
    add("--control-seconds", type=float, default=20.0, help="for each value of a control")
    add("--control-turns", type=int, default=2, help="streams for each value of a control")
    add("--training-every", type=int, default=1, help="one 30 s of so many, for novelty")
    add("--axes", type=int, default=128, help="principal axes kept")
    add("--steps", type=int, help="in place of the pack's own")
    add("--sampler", help="in place of the pack's own")
    add("--guidance", type=float, help="in place of the pack's own")
    add("--threads", type=int, default=1, help="of the network, but for speed's own")
    add("--blocks", type=int, default=200, help="blocks timed")
    add("--switches", type=int, default=6, help="changes of a block control")
    add("--seed", type=int, default=1)
    add("--out", type=Path, required=True, help="folder of quality.md: docs")
    return p


def chosen(only: str | None) -> list[str]:
    """Names of the parts to measure, in the table's order.

    Raises
    ------
    ConfigError
        For an unknown part.
    """
    if only is None:
        return list(PARTS)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in PARTS:
            raise ConfigError(f"--only: unknown part {name!r}. Choose from {', '.join(PARTS)}.")
    return [name for name in PARTS if name in wanted]


def run(args: argparse.Namespace) -> int:
    """Measure part after part, without those that fail. Returns how many failed."""
    bench, results = Workbench(args), Results(args.out)
    left_out = 0
    for name in chosen(args.only):
        began = time.perf_counter()
        print(f"measuring: {name}", flush=True)
        try:
            found = PARTS[name](bench)
        except AttaccaError as error:
            print(f"quality: {name} left out: {error}", file=sys.stderr, flush=True)
            left_out += 1
            continue
        manifest = bench.source.manifest
        pack = f"{manifest.title} {manifest.version}"
        results.add(name, found, report.command(), pack, time.strftime("%Y-%m-%d"))
        results.write()
        taken = time.perf_counter() - began
        rows = f"\n{results.table([name])}\n" if found.values else ""
        print(f"{rows}\n{found.text}\n({taken:.0f} s)\n", flush=True)
    return left_out


def main() -> int:
    args = _parser().parse_args()
    try:
        return 1 if run(args) else 0
    except AttaccaError as error:
        print(f"quality: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
