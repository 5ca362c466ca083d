"""`attacca completion`: print a script with which the shell completes verbs, options and files."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add", "run"]

SHELLS = ("bash", "zsh", "tcsh")


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "completion", help="print shell completion", description=__doc__, allow_abbrev=False,
        epilog='For bash: eval "$(attacca completion bash)" in ~/.bashrc.',
    )  # fmt: skip
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script. Returns the exit status."""
    import shtab

    from attacca.cli import make_parser

    parser = make_parser()
    _complete_files(parser)
    print(shtab.complete(parser, args.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Mark the arguments that are paths, in all verbs."""
    import shtab

    for action in parser._actions:
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                _complete_files(verb)
