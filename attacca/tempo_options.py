"""Options for the tempo source of `attacca play`: MIDI clock and Ableton Link.

Imported with the parser: heavy imports wait until it plays. Main thread only.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.instrument import Instrument
    from midi.clock import MidiClock

__all__ = ["add_tempo", "tempo_of"]


def add_tempo(parser: argparse.ArgumentParser) -> None:
    """`--link`."""
    parser.add_argument(
        "--link", action="store_true",
        help="share tempo and bars with the Ableton Link session on this network",
    )  # fmt: skip


@contextlib.contextmanager
def tempo_of(args: argparse.Namespace, instrument: Instrument) -> Iterator[MidiClock]:
    """MIDI clock and Link as values of the control `tempo_source`, while the instrument plays.

    The caller passes MIDI real-time messages to the clock that this yields (`MidiClock.take`).

    Raises
    ------
    MissingExtra
        `--link` is set and Link is not installed.
    """
    from midi.beat_link import BeatLink, require
    from midi.clock import MidiClock

    if args.link:
        require()
    clock = MidiClock(instrument.now)
    instrument.tempo.attach("midi", clock)
    instrument.tempo.attach("link", BeatLink(instrument.now))
    if args.link:
        instrument.set(tempo_source="link")
        instrument.tempo.timeline()  # join the session now, even if nothing else reads the tempo
    try:
        yield clock
    finally:
        instrument.tempo.close()
