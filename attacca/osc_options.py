"""The OSC options of `attacca play`, and the OSC server that they configure.

Imported with the parser: heavy imports wait until the server is created. Main thread only.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from attacca import __version__
from attacca.options import checked
from engine.controls.control import Control
from engine.errors import ConfigError
from osc import LOOPBACK, PORT, QUERY_PORT

if TYPE_CHECKING:
    from engine.instrument import Instrument
    from osc.desk import Desk
    from osc.server import OscServer

__all__ = ["add_osc", "osc_of"]

_PORT = Control("osc-port", "whole", PORT, "live", "", 1, 65535)
_QUERY_PORT = Control("oscquery-port", "whole", QUERY_PORT, "live", "", 1, 65535)


def add_osc(parser: argparse.ArgumentParser) -> None:
    """`--osc-port`, `--oscquery-port`, `--osc-listen`, `--osc-allow`, `--no-osc`."""
    parser.add_argument(
        "--osc-port", type=checked(_PORT), metavar="N",
        help=f"port for OSC, UDP and TCP ({PORT}; 'attacca osc' lists the addresses)",
    )  # fmt: skip
    parser.add_argument(
        "--oscquery-port", type=checked(_QUERY_PORT), metavar="N",
        help=f"port for OSCQuery ({QUERY_PORT}, or a free one if that is in use)",
    )  # fmt: skip
    parser.add_argument(
        "--osc-listen", default=LOOPBACK, metavar="ADDRESS",
        help=f"network address to listen on ({LOOPBACK}: only this machine; 0.0.0.0: every "
        "machine; ::, over IPv6 as well)",
    )  # fmt: skip
    parser.add_argument(
        "--osc-allow", action="append", default=[], metavar="ADDRESS",
        help="accept OSC only from this address or network, such as 192.168.1.0/24; may be "
        "repeated",
    )  # fmt: skip
    parser.add_argument("--no-osc", action="store_true", help="turn OSC and OSCQuery off")


@contextlib.contextmanager
def osc_of(
    args: argparse.Namespace,
    instrument: Instrument,
    leave: Callable[[], None] | None = None,
    midi: Desk | None = None,
) -> Iterator[OscServer | None]:
    """The OSC server for an instrument that plays; None without OSC.

    `leave` ends the program when another program on this machine sends /quit; `midi` is the MIDI
    desk. If the default port is in use, by another Attacca for instance, a warning is printed and
    the music plays without OSC.

    Raises
    ------
    ConfigError
        A port or an address set by an option cannot be used.
    """
    if args.no_osc:
        yield None
        return
    from engine.packs.discovery import user_folder
    from osc.server import OscServer

    required = (
        args.osc_port is not None or args.oscquery_port is not None or args.osc_listen != LOOPBACK
    )
    # Without the option any free port will do: programs find it by zeroconf.
    query_ports = (QUERY_PORT, 0) if args.oscquery_port is None else (args.oscquery_port,)
    server = OscServer(
        instrument, port=args.osc_port or PORT, listen=args.osc_listen, allow=args.osc_allow,
        library=user_folder(), version=__version__, query_ports=query_ports, announce=True,
        leave=leave, midi=midi,
    )  # fmt: skip
    try:
        server.start()
    except ConfigError as error:
        if required:
            raise
        print(f"attacca: {error}; playing without OSC", file=sys.stderr, flush=True)
    else:
        _warn(args, server.port)
    try:
        yield server
    finally:
        server.stop()


def _warn(args: argparse.Namespace, port: int) -> None:
    """Warn if other machines may control Attacca."""
    if ipaddress.ip_address(args.osc_listen).is_loopback:
        return
    who = ", ".join(args.osc_allow) or "any machine on the network (limit it with --osc-allow)"
    print(
        f"attacca: osc: {args.osc_listen} port {port} accepts commands from {who}",
        file=sys.stderr, flush=True,
    )  # fmt: skip
