"""`--seed-audio`: the end of a recording, which the music continues.

Any thread. Reads at most the last 30 s; returns `ndarray [shape=(frames, channels)] float32` at the
pack's rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arguments import AnyPath, checked_path, checked_whole
from engine.errors import StorageError

__all__ = ["LONGEST", "read_past"]

LONGEST = 30.0  # seconds
_SHORTEST = 0.1


def read_past(path: AnyPath, rate: int, channels: int) -> NDArray[np.float32]:
    """Read the end of a sound file, for the music to continue.

    Parameters
    ----------
    path : of a sound file.
    rate, channels : of the pack: `piano.manifest.rate`, `piano.manifest.channels`.

    Returns
    -------
    ndarray [shape=(frames, channels)] float32
        At most the last 30 s, at `rate`.

    Raises
    ------
    StorageError, ConfigError
        The file is missing, is not a sound file, or is too short (see
        `engine.audio.sound_reader.read_end`); an argument cannot be used.
    """
    path = checked_path("read_past", path)
    rate = checked_whole("rate", rate, 1000, 384_000, "Hz")
    channels = checked_whole("channels", channels, 1, 2)
    from engine.audio.sound_reader import read_end
    from engine.resample import resample

    sound, own = read_end(path, LONGEST, channels)
    if len(sound) < _SHORTEST * own:
        raise StorageError(
            f"cannot continue {str(path)!r}: {len(sound)} frames are too few; choose a recording "
            f"of {_SHORTEST:g} s or more"
        )
    return resample(sound, own, rate)
