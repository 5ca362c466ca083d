"""How `attacca play` is steered by MIDI: its options, and the desk they ask for.

Imported with the parser: nothing heavy until the desk is made. Main thread only.
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
        help="listen to this MIDI port, a name or a part of it; may be repeated; all (the default) "
        "or none ('attacca midi' lists them)",
    )  # fmt: skip
    parser.add_argument(
        "--midi-out",
        metavar="NAME",
        help="send the notes to this MIDI port, or none; by default to a port named Attacca",
    )
    parser.add_argument(
        "--midi-api", choices=_APIS, help="the system's MIDI to use, where it has several"
    )
    parser.add_argument("--no-midi", action="store_true", help="take and send no MIDI")


@contextlib.contextmanager
def midi_of(
    args: argparse.Namespace,
    instrument: Instrument,
    realtime: Callable[[Message, float], None],
) -> Iterator[MidiDesk | None]:
    """The MIDI desk that the options ask for, beside an instrument that plays; None without one.

    `realtime` is given clocks and song positions. Where the system has no MIDI, nobody has to know
    unless an option asked for it.

    Raises
    ------
    MissingExtra, ConfigError, DeviceError
        MIDI was asked for and cannot be had.
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
    asked = not (args.midi_in is args.midi_out is args.midi_api is None)
    try:
        desk.start()
    except AttaccaError:
        if asked:
            raise
        yield None
        return
    try:
        yield desk
    finally:
        desk.stop()
