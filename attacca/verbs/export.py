"""`attacca export`: make a pack from a trained checkpoint (needs PyTorch)."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from engine.errors import MissingExtra

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb; its options are those of `python -m export`."""
    parser = verbs.add_parser(
        "export", help="make a pack from a checkpoint", description=__doc__, add_help=False,
        prefix_chars="\0",  # every option is passed on unchanged
        usage="attacca export CHECKPOINT --out FOLDER --title TEXT --licence SPDX --credit LINE "
        "[...]",
    )  # fmt: skip
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run `export`. Returns its exit status.

    Raises
    ------
    MissingExtra, ConfigError, PackError, StorageError
        PyTorch is not installed; an error of `export`.
    """
    if find_spec("torch") is None:
        raise MissingExtra(
            "export needs PyTorch, which is not installed: run `pip install 'attacca[export]'`"
        )
    from export.__main__ import run as export

    return export(args.arguments, "attacca export")
