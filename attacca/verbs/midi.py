"""`attacca midi`: the MIDI ports of this machine, and the mappings of controllers."""

from __future__ import annotations

import argparse

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "midi", help="list the MIDI ports and mappings", description=__doc__,
        allow_abbrev=False,
        epilog="* marks the ports that 'attacca play' uses by default. For --midi-in and "
        "--midi-out, any part of a name is enough.",
    )  # fmt: skip
    parser.add_argument(
        "--mode", nargs=2, metavar=("CONTROL", "MODE"),
        help="how to read the values of CONTROL's controller, from the next start on: absolute, or "
        "for an endless encoder twos-complement (1, 127), binary-offset (65, 63) or signed-bit "
        "(1, 65)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print both tables. Returns the exit status.

    Raises
    ------
    ConfigError, StorageError, MissingExtra, DeviceError
        `--mode` names an unknown control or mode; the file of mappings is damaged or cannot be
        written; the system has no MIDI.
    """
    from attacca.terminal.table import columns
    from engine.packs.discovery import user_folder
    from midi import store
    from midi.backend import open_backend
    from midi.mapping import with_mode
    from midi.ports import look

    path = user_folder() / store.FILE
    kept = store.read(path)
    if args.mode is not None:
        kept = store.Kept(with_mode(kept.mappings, *args.mode), kept.takeover)
        store.write(path, kept)
    rows = [("controller", "control", "from", "to")]
    rows += [(m.controller, m.target, f"{m.low:g}", f"{m.high:g}") for m in kept.mappings]
    print(f"{path}, soft takeover {'on' if kept.takeover else 'off'}")
    print("\n".join(columns(rows)) if kept.mappings else "no controller is mapped")
    if args.mode is not None:
        return 0
    backend = open_backend()
    ports = [("", "port", "direction")]
    ports += [("*" if p.taken else "", p.name, p.way) for p in look(backend)]
    print(f"\nports of {backend.name}")
    print("\n".join(columns(ports)) if len(ports) > 1 else "there are none")
    return 0
