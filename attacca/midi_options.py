"""The MIDI options of `attacca play`, and the MIDI desk that they configure.

Imported with the parser: heavy imports wait until the desk is created. Main thread only.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from engine.errors import AttaccaError

if TYPE_CHECKING:
    from engine.instrument import Instrument
    from midi.desk import MidiDesk
    from midi.message import Message

__all__ = ["add_midi", "midi_of"]

_APIS = ("alsa", "jack", "coremidi", "winmm")
_ALL, _NONE = "all", "none"


def add_midi(parser: argparse.ArgumentParser) -> None:
    """`--midi-in`, `--midi-out`, `--midi-api`, `--no-midi`."""
    parser.add_argument(
        "--midi-in", action="append", metavar="NAME",
        help="MIDI input port, by name or part of it; may be repeated; all (the default) or none "
        "('attacca midi' lists the ports)",
    )  # fmt: skip
    parser.add_argument(
        "--midi-out",
        metavar="NAME",
        help="MIDI output port for the notes, or none; by default a virtual port named Attacca",
    )
    parser.add_argument(
        "--midi-api", choices=_APIS, help="MIDI API to use, if the system has several"
    )
    parser.add_argument("--no-midi", action="store_true", help="turn MIDI off")


@contextlib.contextmanager
def midi_of(
    args: argparse.Namespace,
    instrument: Instrument,
    realtime: Callable[[Message, float], None],
) -> Iterator[MidiDesk | None]:
    """The MIDI desk for an instrument that plays; None without MIDI.

    `realtime` receives clock messages and song positions. If the system has no MIDI, this is an
    error only if a MIDI option was used.

    Raises
    ------
    MissingExtra, ConfigError, DeviceError
        A MIDI option was used, and MIDI is not available.
    """
    inputs = tuple(n for n in args.midi_in or (_ALL,) if n != _NONE)
    output = None if args.midi_out == _NONE else args.midi_out or ""
    if args.no_midi or (not inputs and output is None):
        yield None
        return
    from engine.packs.discovery import user_folder
    from midi.desk import MidiDesk

    desk = MidiDesk(
        instrument, folder=user_folder(), inputs=inputs, output=output, api=args.midi_api or "",
        realtime=realtime,
    )  # fmt: skip
    required = not (args.midi_in is args.midi_out is args.midi_api is None)
    try:
        desk.start()
    except AttaccaError:
        if required:
            raise
        yield None
        return
    try:
        yield desk
    finally:
        desk.stop()
