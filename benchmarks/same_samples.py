"""Whether the shipped piano plays the samples that another checkout of the project plays.

    python -m benchmarks.same_samples CHECKOUT [--seconds 60] [--seeds 1 2] [--out docs]

Both sides get the same requests, in a process each, on this machine. In the middle of every piece
this side hands its state to another walk of the plan, as when a generator is started again; the
other side goes on. Processors differ in the last bits, so no digest is kept: what stays is
tests/engine/stream/test_stored_samples.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.checkout import FREE, HERE, Block, Checkout, Wanted, revision

BLOCK = 64 * 256  # samples of a whole block
RATE = 24_000
PHRASE = [[60, 90, 0.0, 0.5], [64, 80, 0.5, 1.2], [67, 80, 1.2, 2.9]]
CHORD = {**FREE, "harmony": [1, 0, 0, 0, 1, 0, 0, 0.5, 0, 0, 0, 0], "density": 6.0,
         "style": "pop", "instrument": 0.5}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something that happens before the block that begins at `share` of the piece."""

    share: float
    do: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """A kind of piece: what its blocks are requested with, and what happens in it.

    `stride` is the mean where it changes with the controls.
    """

    name: str
    stride: float = 1.0
    events: tuple[Event, ...] = ()
    changing: bool = False

    def wanted(self, index: int, blocks: int, seed: int) -> Wanted:
        """The request of a block. Where controls change, nearly every block has others."""
        plain = Wanted(index, seed, stride=self.stride)
        if not self.changing:
            return plain
        held = (60, 64) if blocks // 4 < index < blocks // 2 else ()
        return replace(
            plain, steps=12, temperature=0.9, guidance=2.0, held=held,
            sampler="heun" if index % 7 == 3 else "pack",
            stride=1.0 if index % 3 else 0.5, controls=CHORD if index % 5 else FREE,
        )  # fmt: skip


PIECES = (
    Piece("whole blocks"),
    Piece("stride 5/8", 0.625),
    Piece("controls change, keys are held", 5 / 6, changing=True),
    Piece("a phrase is played, another answered", 0.625, (
        Event(0.25, "play", {"notes": PHRASE}), Event(0.7, "answer", {"notes": PHRASE}),
    )),
    Piece("a recording is continued", 0.625, (
        Event(0.0, "noise", {"seconds": 3.0, "key": 0, "notes": PHRASE}),
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One piece of both sides. `difference` is the largest, of full scale; `loudest` the peak."""

    seconds: float
    difference: float
    loudest: float
    same_notes: bool
    notes: int


def played(
    checkout: Checkout, piece: Piece, seed: int, seconds: float, *, restart: bool
) -> Iterator[Block]:
    """The blocks of a piece."""
    blocks = round(seconds * RATE / (BLOCK * piece.stride))
    at = {round(e.share * blocks): e for e in piece.events}
    checkout.do("begin")
    for index in range(blocks):
        if index in at:
            checkout.do(at[index].do, **at[index].fields)
        if restart and index == blocks // 2:
            checkout.do("restart")
        yield checkout.make(piece.wanted(index, blocks, seed))


def compared(there: list[Block], here: list[Block]) -> Compared:
    """Two streams of blocks against each other."""
    old, new = (np.concatenate([b.samples for b in blocks]) for blocks in (there, here))
    same_places = [(len(b.samples), b.rewind) for b in there] == [
        (len(b.samples), b.rewind) for b in here
    ]
    # bits: differences of not a number to itself count, and those of zero to minus zero
    equal = same_places and old.tobytes() == new.tobytes()
    n = min(old.size, new.size)
    least = float(np.finfo(np.float32).tiny)
    off = 0.0 if equal else max(float(np.abs(old[:n] - new[:n]).max()), least)
    notes = [[n for b in blocks for n in b.notes] for blocks in (there, here)]
    return Compared(
        old.size / RATE, off if same_places else np.inf, float(np.abs(old).max()),
        [b.notes for b in there] == [b.notes for b in here], len(notes[0]),
    )  # fmt: skip


def row(piece: Piece, seed: int, c: Compared) -> list[str]:
    """The line of the table."""
    verdict = "equal to the bit" if c.difference == 0 else f"{c.difference:.2g}"
    notes = f"{c.notes}, {'equal' if c.same_notes else '**different**'}"
    return [piece.name, str(seed), f"{c.seconds:.1f} s", verdict, f"{c.loudest:.2f}", notes]


def main(arguments: list[str] | None = None) -> None:
    """Compare, print the table, and write it."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.same_samples", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("checkout", type=Path, help="folder of another checkout, such as of 2b231fe")
    p.add_argument("--seconds", type=float, default=60.0, help="of each piece")
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    p.add_argument("--pieces", type=int, nargs="+", default=list(range(1, len(PIECES) + 1)),
                   help="which, by their number")  # fmt: skip
    p.add_argument("--no-restart", action="store_true", help="go on in the middle here, too")
    p.add_argument("--out", type=Path, help="folder of the page and its data, such as docs")
    args = p.parse_args(arguments)
    rows, found = [], []
    with Checkout(args.checkout) as there, Checkout(HERE) as here:
        for piece in (PIECES[n - 1] for n in args.pieces):
            for seed in args.seeds:
                old = list(played(there, piece, seed, args.seconds, restart=False))
                new = list(played(here, piece, seed, args.seconds, restart=not args.no_restart))
                c = compared(old, new)
                rows.append(row(piece, seed, c))
                found.append(vars(c) | {"piece": piece.name, "seed": seed})
                print(*rows[-1], sep=", ", flush=True)
    header = ("piece", "seed", "length", "largest difference", "peak", "notes")
    restarted = "" if args.no_restart else " Here the state moves to another walk in the middle."
    text = f"Against {revision(args.checkout)}.{restarted}\n\n"
    report.deliver("same_samples", text + report.table(header, rows), {"rows": found}, args.out)


if __name__ == "__main__":
    main()
