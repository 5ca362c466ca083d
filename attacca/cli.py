"""The command line: builds the parser from the verbs, runs one, and says what went wrong.

Main thread only. Nothing heavy is imported until a verb runs: `attacca --help` and completion need
argparse alone. Every verb is a module in `attacca/verbs/` with `add(verbs)` and `run(args)`.

Exit status: 0 all is well, 1 something is missing or broken, 2 an option cannot be used,
130 interrupted (but `play` ends with 0: Ctrl-C is how one leaves it).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from attacca import __version__
from attacca.verbs import (
    bench,
    completion,
    devices,
    doctor,
    export,
    gui,
    midi,
    osc,
    packs,
    play,
    render,
)
from engine.errors import AttaccaError, ConfigError

__all__ = ["Parser", "main", "make_parser"]

VERBS = (play, gui, render, devices, doctor, bench, packs, osc, midi, export, completion)
_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of a page."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong with the options, as every other error is said.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(f"{' '.join(message.split())}; see '{self.prog} --help'")


def make_parser() -> Parser:
    """The whole command line, verbs and all."""
    parser = Parser(
        prog="attacca",
        description="An instrument that never stops: endless music from a trained diffusion model.",
        epilog="`attacca play` is where to begin; `attacca doctor` says what is missing.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"attacca {__version__}")
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", required=True, parser_class=Parser, title="verbs"
    )
    for verb in VERBS:
        verb.add(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status; never raises but for `--help` and `--version`."""
    try:
        args = make_parser().parse_args(arguments)
        status = args.run(args)
        sys.stdout.flush()
    except ConfigError as error:
        return _say(error, _USAGE)
    except AttaccaError as error:
        return _say(error, _FAILED)
    except BrokenPipeError:
        return _reader_gone()
    except KeyboardInterrupt:
        return _INTERRUPTED
    return int(status)


def _say(error: AttaccaError, status: int) -> int:
    print(f"attacca: {error}", file=sys.stderr)
    return status


def _reader_gone() -> int:
    """`attacca ... | head` closed our output: nothing to say, and nobody to say it to."""
    # The interpreter flushes standard output once more at its end, which would fail again.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    return 0


if __name__ == "__main__":
    sys.exit(main())
