"""`attacca render`: write the same music to a file, as fast as possible."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attacca.options import add_playing, checked, chosen, set_others
from engine.controls.control import Control

__all__ = ["add", "run"]

_LONGEST = 365 * 24 * 3600.0
_SECONDS = Control("seconds", "number", 60.0, "block", "", 0.1, _LONGEST, "s")
_MINUTES = Control("minutes", "number", 1.0, "block", "", 0.002, _LONGEST / 60, "min")
_RATE = Control("rate", "whole", 48000, "block", "", 8000, 192000, "Hz")


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "render", help="render to a file, faster than real time", description=__doc__,
        allow_abbrev=False,
    )  # fmt: skip
    add_playing(parser)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=checked(_MINUTES), metavar="M")
    length.add_argument("--seconds", type=checked(_SECONDS), metavar="S")
    parser.add_argument(
        "--rate",
        type=checked(_RATE),
        metavar="HZ",
        help="sample rate of the file; by default the pack's",
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="file name ending in .wav, .flac or .ogg"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render. Returns the exit status."""
    from attacca.terminal.output import tolerant_output
    from attacca.terminal.stopping import Stopping

    with Stopping() as stopping, tolerant_output():
        from attacca.seed_input import read_seed_input, refuse_replacing_inputs
        from attacca.verbs.play import new_seed
        from engine.instrument import Instrument

        refuse_replacing_inputs(args, args.out)
        controls = chosen(args, new_seed)
        instrument = Instrument(
            args.pack, latency=args.latency, threads=args.threads, target=args.target, **controls
        )
        set_others(args, instrument)
        past, phrase = read_seed_input(args, instrument)
        seconds: float = args.seconds if args.seconds is not None else 60.0 * args.minutes
        began = time.monotonic()
        with _progress(args.out.name) as bar:
            done = 0.0

            def progress(fraction: float) -> bool:
                nonlocal done
                done = fraction
                bar(fraction)
                return not stopping.requested

            notes = instrument.render(
                args.out, seconds, rate=args.rate, past=past, phrase=phrase, progress=progress
            )
        took = time.monotonic() - began
        rendered = seconds * done if stopping.requested else seconds
        seed = int(instrument.settings.number("seed"))
        early = "stopped early: " if stopping.requested else ""
        beside = f", notes in {notes.name}" if notes is not None else ""
        print(
            f"{early}{args.out}: {rendered:.1f} s of music in {took:.1f} s, "
            f"real-time factor {took / max(rendered, 1e-9):.2f}, seed {seed}{beside}"
        )
        return 130 if stopping.requested else 0


@contextmanager
def _progress(name: str) -> Iterator[Callable[[float], None]]:
    """A progress bar if standard error is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda fraction: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)
