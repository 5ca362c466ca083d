"""How long the shipped piano's blocks take against another checkout of the project.

    python -m benchmarks.block_times CHECKOUT [--blocks 200] [--stride 1] [--out docs]

A process for each side makes the same block, one after the other, in an order drawn for every pair.
Wall time is what counts on a quiet machine; processor time hardly notices what else runs. The same
checkout twice shows what the method itself says: `python -m benchmarks.block_times .`
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks import report
from benchmarks.checkout import HERE, Block, Checkout, Wanted, revision
from benchmarks.paired import Ratio, paired_ratio

_WARM = 4  # pairs that are not counted


def measured(
    theirs: Checkout, ours: Checkout, blocks: int, stride: float, rng: np.random.Generator
) -> tuple[list[Block], list[Block]]:
    """The blocks of both sides, made in turns."""
    made: dict[Checkout, list[Block]] = {theirs: [], ours: []}
    for side in made:
        side.do("begin")
    for index in range(blocks + _WARM):
        sides = list(made)
        if rng.random() < 0.5:
            sides.reverse()
        for side in sides:
            made[side].append(side.make(Wanted(index, stride=stride)))
    return made[theirs][_WARM:], made[ours][_WARM:]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, and write it."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.block_times", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("checkout", type=Path, help="folder of another checkout, such as of 2b231fe")
    p.add_argument("--blocks", type=int, default=200)
    p.add_argument("--stride", type=float, default=1.0)
    p.add_argument("--seed", type=int, default=1, help="of the orders and of the bootstrap")
    p.add_argument("--out", type=Path, help="folder of the page and its data, such as docs")
    args = p.parse_args(arguments)
    rng = np.random.default_rng(args.seed)
    with Checkout(args.checkout) as theirs, Checkout(HERE) as ours:
        old, new = measured(theirs, ours, args.blocks, args.stride, rng)
    rows, data = [], {}
    for kind in ("wall", "processor"):
        there, here = ([getattr(b, kind) for b in blocks] for blocks in (old, new))
        ratio: Ratio = paired_ratio(here, there, rng)
        high = [np.quantile(t, 0.99) * 1e3 for t in (there, here)]
        rows.append([
            f"{kind} time of a block", f"{np.median(there) * 1e3:.1f} (p99 {high[0]:.1f}) ms",
            f"{np.median(here) * 1e3:.1f} (p99 {high[1]:.1f}) ms", str(ratio),
        ])  # fmt: skip
        data[kind] = {"there": there, "here": here, **vars(ratio)}
    name = revision(args.checkout)
    text = (
        f"{args.blocks} pairs of blocks, stride {args.stride:g}, one thread for the network, "
        f"against {name}. The ratio is the median of the pairs' ratios, with its 95 % interval.\n\n"
    )
    header = ("what", name, "here", "here / there")
    report.deliver("block_times", text + report.table(header, rows), data, args.out)


if __name__ == "__main__":
    main()
