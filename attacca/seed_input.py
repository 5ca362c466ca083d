"""What the music continues from the start: a recording or a MIDI file, if any. Any thread."""

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

__all__ = ["SeedInput", "read_seed_input", "refuse_replacing_inputs"]


class SeedInput(NamedTuple):
    """At most one of both: `past` [frames, channels] to continue, `phrase` to play first."""

    past: NDArray[np.float32] | None
    phrase: Sequence[Note]


def read_seed_input(args: argparse.Namespace, instrument: Instrument) -> SeedInput:
    """Read the file of `--seed-audio` or `--seed-midi`.

    Raises
    ------
    StorageError
        The file cannot be read, or is empty.
    """
    past: NDArray[np.float32] | None = None
    phrase: Sequence[Note] = ()
    if args.seed_audio is not None:
        from attacca.seed_audio import read_past

        past = read_past(args.seed_audio, instrument.manifest.rate, instrument.manifest.channels)
    if args.seed_midi is not None:
        from attacca.seed_notes import read_phrase

        phrase = read_phrase(args.seed_midi)
    return SeedInput(past, phrase)


def refuse_replacing_inputs(args: argparse.Namespace, out: Path | None) -> None:
    """Refuse an output file that is one of the inputs, before anything is written.

    Raises
    ------
    ConfigError
        They are the same file: by name, by a link, or by letters in another case on a disk that
        ignores case.
    """
    for option, path in (("--seed-audio", args.seed_audio), ("--seed-midi", args.seed_midi)):
        if out is not None and path is not None and _same_file(out, path):
            raise ConfigError(
                f"{str(out)!r} would replace the {option} {str(path)!r}; choose another file"
            )


def _same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except (OSError, ValueError):  # one of them does not exist
        return False
