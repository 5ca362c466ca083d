"""Speed, latency of a block control, and size of the pack: on this machine, played live."""

from __future__ import annotations

import argparse
import os

from benchmarks import numbers
from benchmarks.figures import Found, Value
from benchmarks.workbench import Workbench


def speed(bench: Workbench) -> Found:
    """The real measurements of `benchmarks.numbers`, with its default threads."""
    args, manifest = bench.args, bench.source.manifest
    threads = max(1, (os.cpu_count() or 2) - 1)
    wanted = argparse.Namespace(
        pack=args.pack, threads=threads, blocks=args.blocks, switches=args.switches, seed=args.seed
    )
    time = numbers.blocks(wanted, manifest)
    jam = numbers.block_control(wanted)[-1]
    size = sum(p.stat().st_size for p in manifest.folder.rglob("*") if p.is_file()) / 1e6
    rows = [*time, jam]
    return Found(
        {
            "rtf": Value(time[0].value, time[0].text),
            "block_control": Value(jam.value, jam.text),
            "size": Value(size, f"{size:.1f} MB"),
        },
        f"{threads} thread(s) for the network, {args.blocks} blocks. "
        + "; ".join(f"{r.what}: {r.text}" for r in rows[1:]) + ".",
        {"rows": {r.what: r.value for r in rows}, "size": size, "threads": threads},
    )  # fmt: skip
