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
        The file is missing, is no sound file, or has next to nothing in it.
    """
    import soundfile

    from engine.signal.resample import resample

    if not path.is_file():
        raise StorageError(f"cannot read {str(path)!r}: no such file; give a sound file")
    try:
        with soundfile.SoundFile(path) as file:
            own = file.samplerate
            file.seek(max(0, file.frames - round(LONGEST * own)))
            sound = file.read(dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rsplit(": ", 1)[-1]
        raise StorageError(
            f"cannot read {str(path)!r}: {reason} Give a WAV, FLAC, OGG or MP3 file"
        ) from error
    if len(sound) < _SHORTEST * own:
        raise StorageError(f"cannot continue {str(path)!r}: {len(sound)} frames are too few")
    if not np.isfinite(sound).all():
        raise StorageError(f"cannot continue {str(path)!r}: it has values that are no numbers")
    if sound.shape[1] != channels:
        sound = np.repeat(sound.mean(axis=1, keepdims=True), channels, axis=1)
    return resample(sound, own, rate)
