"""What the music begins with: nothing, a recording's end or a MIDI file's. Any thread."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.instrument import Instrument
    from engine.notes.note import Note

__all__ = ["Beginning", "beginning", "refuse_replacing_inputs"]


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


def refuse_replacing_inputs(args: argparse.Namespace, out: Path | None) -> None:
    """Refuse an output that is one of the inputs, by whatever name; before anything is written.

    Raises
    ------
    ConfigError
        It is: the same name, a link to it, or the same letters in another case where the disk
        does not tell them apart.
    """
    for option, path in (("--seed-audio", args.seed_audio), ("--seed-midi", args.seed_midi)):
        if out is not None and path is not None and _same_file(out, path):
            raise ConfigError(
                f"{str(out)!r} would replace the {option} {str(path)!r}; name another file"
            )


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except (OSError, ValueError):  # one of them is not there
        return False
