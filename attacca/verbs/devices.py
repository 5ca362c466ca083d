"""`attacca devices`: the sound outputs of this machine."""

from __future__ import annotations

import argparse

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "devices", help="list the sound outputs", description=__doc__, allow_abbrev=False,
        epilog="* is the default. For --device, any part of a name is enough if it matches only "
        "one device.",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table. Returns the exit status, 1 without a device."""
    from attacca.terminal.table import columns
    from engine.audio.portaudio import COMMON_RATES, PortAudio

    with PortAudio() as portaudio:
        portaudio.find()  # raises an error with advice if there is none
        devices = portaudio.outputs(COMMON_RATES)
    rows = [("", "name", "host api", "channels", "latency", "default rate", "rates")]
    for d in devices:
        rates = ", ".join(f"{r / 1000:g}" for r in d.rates)
        rows.append((
            "*" if d.default else "", d.name, d.host_api, str(d.channels),
            f"{1000 * d.latency_s:.0f} ms", f"{d.default_rate} Hz",
            f"{rates} kHz" if rates else "in use, or no common rate",
        ))  # fmt: skip
    print("\n".join(columns(rows)))
    return 0
