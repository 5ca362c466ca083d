"""`attacca gui`: the same with a window, which steers `attacca play` as a process of its own.

The window takes up an engine that plays on the port already, and starts one at a click where none
does, with the options that are given here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from attacca.verbs import play
from engine.errors import ConfigError, MissingExtra

__all__ = ["add", "run"]

_OWN = ("connect", "help", "no_status", "no_osc", "osc_port")  # not handed on as they are


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "gui", help="play without end, with a window", description=__doc__, allow_abbrev=False,
        epilog="All options but --connect are those of 'attacca play'.",
    )  # fmt: skip
    parser.add_argument(
        "--connect", metavar="HOST:PORT",
        help="steer what plays there, and start nothing (its --osc-listen has to let you in)",
    )  # fmt: skip
    play.add_options(parser)
    actions = list(parser._actions)
    for action in actions:
        if action.type is not None:
            action.type = _checked_text(action.type)
        if action.dest not in _OWN:
            action.default = argparse.SUPPRESS  # play has the defaults; what was typed is known
    parser.set_defaults(run=run, options=lambda args: list(_texts(actions, args)))


def run(args: argparse.Namespace) -> int:
    """Show the window until it is closed. Returns the exit status.

    Raises
    ------
    MissingExtra, DisplayError, ConfigError
        PyQt6 is not installed; there is no display; options that go against each other.
    """
    from osc import LOOPBACK, PORT

    options: list[str] | None = args.options(args)
    if args.no_osc:
        raise ConfigError("--no-osc: the window steers over OSC; leave it out, or use play")
    host, port = getattr(args, "osc_listen", LOOPBACK), int(args.osc_port or PORT)
    if host in ("0.0.0.0", "::"):
        host = LOOPBACK
    if args.connect is not None:
        if options or args.osc_port:
            given = (options or ["--osc-port"])[0]
            raise ConfigError(f"--connect starts nothing, so {given} cannot go with it")
        host, port = _place(args.connect)
        options = None
    from gui.display import DisplayCheck

    display = DisplayCheck()
    try:
        from gui.application import Start
        from gui.application import run as show
    except ImportError as error:
        display.stop()
        raise MissingExtra(
            f"the window cannot be loaded ({error}): './run gui' or "
            "'pip install attacca[gui]' brings what it takes"
        ) from error
    from attacca.terminal.output import tolerant_output
    from engine.packs.discovery import user_folder

    display.finish()
    with tolerant_output():
        return show(Start(host, port, options, user_folder()))


def _place(text: str) -> tuple[str, int]:
    """Host and port from HOST:PORT, HOST or PORT.

    Raises
    ------
    ConfigError
        It is neither.
    """
    from osc import LOOPBACK, PORT

    host, colon, number = text.rpartition(":")
    if not colon:
        host, number = (LOOPBACK, text) if text.isdigit() else (text, str(PORT))
    host = host.strip("[]")
    if not host or not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise ConfigError(
            f"--connect: {text!r} is no HOST:PORT; give one such as {LOOPBACK}:{PORT}"
        )
    return host, int(number)


def _checked_text(check: Any) -> Callable[[str], str]:
    """Checks an option as `play` does, and keeps its text, to be handed on."""

    def read(text: str) -> str:
        check(text)
        return text

    read.__name__ = getattr(check, "__name__", "value")
    return read


def _texts(actions: list[argparse.Action], args: argparse.Namespace) -> Iterator[str]:
    """The options that were given, as they were typed."""
    for action in actions:
        value = getattr(args, action.dest, None)
        if action.dest in _OWN or value is None:
            continue
        option = action.option_strings[-1]
        if action.nargs == 0:
            yield option
        else:
            for text in value if isinstance(value, list) else [value]:
                yield from (option, str(text))
