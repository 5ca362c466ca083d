"""`attacca osc`: the OSC addresses by which other programs steer `attacca play`."""

from __future__ import annotations

import argparse

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "osc", help="list the OSC addresses", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text",
        help="text for people (the default), markdown for a page, json for programs",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the address space. Returns the exit status."""
    from osc.listing import FORMATS

    print(FORMATS[args.format]())
    return 0
