"""The command line: builds the parser from the verbs, runs one, and reports errors.

Main thread only. Nothing heavy is imported until a verb runs: `attacca --help` and completion need
argparse alone. Every verb is a module in `attacca/verbs/` with `add(verbs)` and `run(args)`.

Exit status: 0 success, 1 something is missing or broken, 2 an option cannot be used,
130 interrupted (`play` ends with 0, since Ctrl-C is the normal way to end it).
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from attacca import __version__
from attacca.process_exit import leave
from attacca.terminal.output import fill_standard_streams
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
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error instead of a page."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Report wrong options in the same way as every other error.

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
        epilog="Start with `attacca play`. If something is missing, `attacca doctor` finds it.",
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
    """Run one command. Returns the exit status; `--help` and `--version` raise SystemExit.

    Without `arguments`, it uses the arguments of the process, and a sound library that hangs does
    not keep the process alive (see `attacca.process_exit`).
    """
    fill_standard_streams()
    try:
        status = _run(arguments)
    except ConfigError as error:
        status = _report(str(error), _USAGE)
    except AttaccaError as error:
        status = _report(str(error), _FAILED)
    except BrokenPipeError:
        status = 0  # `attacca ... | head` has read enough
    except OSError as error:
        status = _report(_environment(error), _FAILED)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        _discard(stream)
    return leave(status) if arguments is None else status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        args = make_parser().parse_args(arguments)
        status = int(args.run(args))
    except SystemExit:  # of `--help`
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return status


def _report(text: str, status: int) -> int:
    with contextlib.suppress(OSError):
        print(f"attacca: {' '.join(text.splitlines())}", file=sys.stderr)
    return status


def _environment(error: OSError) -> str:
    """An error of the operating system: a full disk, a missing folder, too many open files."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename:
        return f"{error.filename}: {reason}"
    if error.errno in _UNWRITABLE:
        return f"output cannot be written: {reason}"
    return f"a call to the operating system failed: {reason}"


def _discard(stream: TextIO) -> None:
    """Discard what a broken stream still holds; otherwise the interpreter fails at exit."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


if __name__ == "__main__":
    sys.exit(main())
