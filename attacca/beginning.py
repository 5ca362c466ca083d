"""What the music begins with: nothing, a recording's end or a MIDI file's. Any thread."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.instrument import Instrument
    from engine.signal.roll import Note

__all__ = ["Beginning", "beginning"]


class Beginning(NamedTuple):
    """At most one of both: `past` [frames, channels] to be continued, `phrase` to be played."""

    past: NDArray[np.float32] | None
    phrase: Sequence[Note]


def beginning(args: argparse.Namespace, instrument: Instrument) -> Beginning:
    """What `--seed-audio` or `--seed-midi` names: a past to continue, a phrase to begin with.

    Raises
    ------
    StorageError
        The file cannot be read, or there is nothing in it.
    """
    past: NDArray[np.float32] | None = None
    phrase: Sequence[Note] = ()
    if args.seed_audio is not None:
        from attacca.seed_audio import read_past

        past = read_past(args.seed_audio, instrument.manifest.rate, instrument.manifest.channels)
    if args.seed_midi is not None:
        from attacca.seed_notes import read_phrase

        phrase = read_phrase(args.seed_midi)
    return Beginning(past, phrase)
