"""`attacca osc`: the OSC addresses by which other programs steer `attacca play`.

It lists them, or writes a layout with all of them for one of those programs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.controls.shipped_table import SHIPPED_TABLE
from engine.controls.table import ControlTable
from engine.errors import ConfigError, StorageError

__all__ = ["add", "run"]

_LISTS = ("text", "markdown", "json")
_LAYOUTS = ("touchosc", "open-stage-control", "reaper", "pd", "supercollider", "max")


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "osc", help="list the OSC addresses, or write a controller's layout",
        description=__doc__, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=(*_LISTS, *_LAYOUTS), default="text",
        help="text for people (the default), markdown for a page, json for programs, or a layout "
        "for the program of that name",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write it into this file, not to the terminal"
    )
    parser.add_argument(
        "--pack", metavar="NAME", help="with the controls of this pack; by default the shipped one"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the address space. Returns the exit status.

    Raises
    ------
    ConfigError, StorageError
        The layout is no text and would go to a terminal; the file cannot be written.
    """
    from osc import LOOPBACK, PORT
    from osc.addresses import address_space
    from osc.listing import FORMATS
    from osc.templates import TEMPLATES
    from osc.templates.surface import surface

    template = TEMPLATES.get(args.format)
    space = address_space(_table(args.pack))
    data = (
        template.make(surface(space), LOOPBACK, PORT) if template is not None
        else (FORMATS[args.format](space) + "\n").encode()
    )  # fmt: skip
    if args.out is not None:
        try:
            args.out.write_bytes(data)
        except OSError as error:
            raise StorageError(f"{args.out} cannot be written: {error.strerror}") from error
    elif template is not None and not template.text and sys.stdout.isatty():
        name = f"attacca{template.suffix}"
        raise ConfigError(f"--format {args.format} is not text for a terminal; use --out {name}")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    return 0


def _table(pack: str | None) -> ControlTable:
    """The controls of an instrument that plays a pack."""
    if pack is None:
        return SHIPPED_TABLE
    from engine.pack_settings import control_table
    from engine.packs.discovery import find_pack
    from engine.packs.manifest import read_manifest

    return control_table(read_manifest(find_pack(pack)))
