"""How `attacca play` is steered from elsewhere: its OSC options, and the server they ask for.

Imported with the parser: nothing heavy until the server is made. Main thread only.
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
        help=f"take OSC on this port, UDP and TCP ({PORT}; 'attacca osc' lists the addresses)",
    )  # fmt: skip
    parser.add_argument(
        "--oscquery-port", type=checked(_QUERY_PORT), metavar="N",
        help=f"answer OSCQuery on this port ({QUERY_PORT}, or a free one if that is taken)",
    )  # fmt: skip
    parser.add_argument(
        "--osc-listen", default=LOOPBACK, metavar="ADDRESS",
        help=f"take OSC on this address ({LOOPBACK}: this machine alone; 0.0.0.0: every machine; "
        "::, by IPv6 too)",
    )  # fmt: skip
    parser.add_argument(
        "--osc-allow", action="append", default=[], metavar="ADDRESS",
        help="take OSC only from this address or network, such as 192.168.1.0/24; may be repeated",
    )  # fmt: skip
    parser.add_argument("--no-osc", action="store_true", help="take no OSC, answer no OSCQuery")


@contextlib.contextmanager
def osc_of(
    args: argparse.Namespace,
    instrument: Instrument,
    leave: Callable[[], None] | None = None,
    midi: Desk | None = None,
) -> Iterator[OscServer | None]:
    """The OSC server that the options ask for, beside an instrument that plays; None without one.

    `leave` ends the program, when a program on this machine asks for it; `midi` plays along.

    A port that nobody asked for may be taken, by another performance for instance: that is said,
    and the music goes on without OSC.

    Raises
    ------
    ConfigError
        A port or an address that was asked for cannot be had.
    """
    if args.no_osc:
        yield None
        return
    from engine.packs.discovery import user_folder
    from osc.server import OscServer

    asked = (
        args.osc_port is not None or args.oscquery_port is not None or args.osc_listen != LOOPBACK
    )
    # A free one will do where nobody asked for one: programs find it by zeroconf.
    query_ports = (QUERY_PORT, 0) if args.oscquery_port is None else (args.oscquery_port,)
    server = OscServer(
        instrument, port=args.osc_port or PORT, listen=args.osc_listen, allow=args.osc_allow,
        library=user_folder(), version=__version__, query_ports=query_ports, announce=True,
        leave=leave, midi=midi,
    )  # fmt: skip
    try:
        server.start()
    except ConfigError as error:
        if asked:
            raise
        print(f"attacca: {error}; playing on without OSC", file=sys.stderr, flush=True)
    else:
        _warn(args, server.port)
    try:
        yield server
    finally:
        server.stop()


def _warn(args: argparse.Namespace, port: int) -> None:
    """Say so when other machines may steer."""
    if ipaddress.ip_address(args.osc_listen).is_loopback:
        return
    who = ", ".join(args.osc_allow) or "any machine that reaches it (--osc-allow names who may)"
    print(
        f"attacca: osc: {args.osc_listen} port {port} can be steered by {who}",
        file=sys.stderr, flush=True,
    )  # fmt: skip
