"""`attacca midi`: the MIDI ports of this machine, and what moves what."""

from __future__ import annotations

import argparse

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "midi", help="list the MIDI ports, and what controllers move", description=__doc__,
        allow_abbrev=False,
        epilog="* is what 'attacca play' listens to by itself. Any part of a name works as "
        "--midi-in or --midi-out.",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print both tables. Returns the exit status.

    Raises
    ------
    StorageError, MissingExtra, DeviceError
        The file with the mappings is damaged; there is no MIDI to be had.
    """
    from attacca.terminal.table import columns
    from engine.packs.discovery import user_folder
    from midi import store
    from midi.backend import open_backend
    from midi.ports import look

    path = user_folder() / store.FILE
    kept = store.read(path)
    rows = [("controller", "moves", "from", "to")]
    rows += [(str(m.source), m.target, f"{m.low:g}", f"{m.high:g}") for m in kept.mappings]
    print(f"{path}, soft takeover {'on' if kept.takeover else 'off'}")
    print("\n".join(columns(rows)) if kept.mappings else "no controller has been learnt")
    backend = open_backend()
    ports = [("", "port", "way")]
    ports += [("*" if p.taken else "", p.name, p.way) for p in look(backend)]
    print(f"\nports of {backend.name}")
    print("\n".join(columns(ports)) if len(ports) > 1 else "there are none")
    return 0
