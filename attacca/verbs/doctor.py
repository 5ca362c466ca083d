"""`attacca doctor`: check this machine, and print a command for everything that is missing."""

from __future__ import annotations

import argparse
import sys

__all__ = ["add", "run"]

_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "doctor", help="find what is missing, and how to fix it", description=__doc__,
        allow_abbrev=False, epilog="Exit status 1 when a check fails.",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each check. Returns 1 when one failed."""
    from attacca.checkup import Machine, examine

    worst = 0
    colour = sys.stdout.isatty()
    for f in examine(Machine()):
        mark = f"{f.state:4}"
        if colour:
            mark = f"\x1b[{_COLOURS[f.state]}m{mark}\x1b[0m"
        print(f"{mark}  {f.name:14}  {f.text}", flush=True)
        if f.fix:
            print(f"{'':22}fix: {f.fix}", flush=True)
        worst = max(worst, f.state == "fail")
    return int(worst)
