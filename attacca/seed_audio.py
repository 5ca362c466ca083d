"""`--seed-audio`: the end of a recording, as the past that the music continues.

Any thread. Reads at most the last 30 s; gives `ndarray [shape=(frames, channels)] float32` at the
pack's rate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError

__all__ = ["LONGEST", "read_past"]

LONGEST = 30.0  # seconds
_SHORTEST = 0.1


def read_past(path: Path, rate: int, channels: int) -> NDArray[np.float32]:
    """Read, mix to `channels`, and resample to `rate`.

    Raises
    ------
    StorageError
        The file is missing, is no sound file, or has next to nothing in it; see
        `engine.audio.sound_reader.read_end`.
    """
    from engine.audio.sound_reader import read_end
    from engine.signal.resample import resample

    sound, own = read_end(path, LONGEST, channels)
    if len(sound) < _SHORTEST * own:
        raise StorageError(
            f"cannot continue {str(path)!r}: {len(sound)} frames are too few; choose a recording "
            f"of {_SHORTEST:g} s or more"
        )
    return resample(sound, own, rate)
