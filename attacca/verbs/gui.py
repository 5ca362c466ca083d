"""`attacca gui`: a window that controls `attacca play`, which runs as a separate process.

If an engine already plays on the port, the window connects to it. Otherwise it starts one with
these options when you press Play.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from attacca.verbs import play
from engine.errors import ConfigError, MissingExtra

__all__ = ["add", "run"]

_OWN = ("connect", "help", "no_status", "no_osc", "osc_port")  # not passed on unchanged


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "gui", help="play endless music, with a window", description=__doc__, allow_abbrev=False,
        epilog="All options except --connect are those of 'attacca play'.",
    )  # fmt: skip
    parser.add_argument(
        "--connect", metavar="HOST:PORT",
        help="control the engine at this address and start none (it needs --osc-listen)",
    )  # fmt: skip
    play.add_options(parser)
    actions = list(parser._actions)
    for action in actions:
        if action.type is not None:
            action.type = _checked_text(action.type)
        if action.dest not in _OWN:
            # `play` has the defaults; here only typed options count.
            action.default = argparse.SUPPRESS
    parser.set_defaults(run=run, options=lambda args: list(_texts(actions, args)))


def run(args: argparse.Namespace) -> int:
    """Show the window until it is closed. Returns the exit status.

    Raises
    ------
    MissingExtra, DisplayError, ConfigError
        PyQt6 is not installed; there is no display; options exclude each other.
    """
    from osc import LOOPBACK, PORT

    options: list[str] | None = args.options(args)
    if args.no_osc:
        raise ConfigError(
            "--no-osc cannot be used with gui: the window needs OSC; remove it, or use attacca play"
        )
    host, port = getattr(args, "osc_listen", LOOPBACK), int(args.osc_port or PORT)
    if host in ("0.0.0.0", "::"):
        host = LOOPBACK
    if args.connect is not None:
        if options or args.osc_port:
            option = (options or ["--osc-port"])[0]
            raise ConfigError(f"--connect starts no engine, so {option} has no effect; remove it")
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
            f"the window cannot be loaded ({error}); install it with './run gui' or "
            "'pip install attacca[gui]'"
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
            f"--connect: {text!r} is not HOST:PORT; enter one such as {LOOPBACK}:{PORT}"
        )
    return host, int(number)


def _checked_text(check: Any) -> Callable[[str], str]:
    """Check an option as `play` does, but keep its text, to pass it on."""

    def read(text: str) -> str:
        check(text)
        return text

    read.__name__ = getattr(check, "__name__", "value")
    return read


def _texts(actions: list[argparse.Action], args: argparse.Namespace) -> Iterator[str]:
    """The options in use, as they were typed."""
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
