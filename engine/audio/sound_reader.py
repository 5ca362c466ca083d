"""Reads the end of a sound file, even of a damaged one. Any thread that may wait for a disk.

Files are cut off by crashes, streamed without a length, or have wrong headers. Therefore the header
is only a hint, and sound is read in small blocks until it ends. The sound before a damaged block is
used; of a chained Ogg file, the first link.

Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

import contextlib
import io
from collections import deque
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.soundfiles import reason_of
from engine.errors import StorageError

__all__ = ["read_end"]

_SLOWEST, _FASTEST = 2_000, 1_000_000  # Hz
_LOUD = 16.0  # 24 dB over full scale: above it, a float file does not have full scale at 1
_BLOCK = 4096  # frames read at once: the most that damage loses
_MOST_VALUES = 1 << 20  # in a block, over all channels
_HEADER = 1 << 16  # bytes within which the sound of a WAV file starts


def read_end(path: Path, seconds: float, channels: int) -> tuple[NDArray[np.float32], int]:
    """The last seconds of a sound file, mixed to `channels`, and its rate.

    A file with values far over full scale is normalised to it.

    Raises
    ------
    StorageError
        The file is missing, not a sound file, or has NaN or infinite samples.
    """
    if not path.is_file():
        raise StorageError(f"cannot read {str(path)!r}: no such file; choose a sound file")
    if path.suffix.lower() == ".raw":
        raise StorageError(
            f"cannot read {str(path)!r}: a .raw file does not say its rate and channels; save it "
            "as a WAV, FLAC, OGG or MP3 file"
        )
    try:
        with path.open("rb") as file:
            blocks, rate = _end(_with_length(file) or str(path), seconds, channels)
    except (OSError, RuntimeError, ValueError) as error:
        reason = reason_of(error).rsplit(": ", 1)[-1].rstrip(".")
        raise StorageError(
            f"cannot read {str(path)!r}: {reason}; choose a WAV, FLAC, OGG or MP3 file"
        ) from error
    if not _SLOWEST <= rate <= _FASTEST:
        raise StorageError(
            f"cannot read {str(path)!r}: it has {rate} frames a second; choose a file with "
            f"{_SLOWEST} to {_FASTEST}"
        )
    sound = np.concatenate(blocks) if blocks else np.zeros((0, channels))
    if not np.isfinite(sound).all():
        raise StorageError(
            f"cannot read {str(path)!r}: it has NaN or infinite samples; export it again"
        )
    peak = float(np.abs(sound).max(initial=0.0))
    if peak > _LOUD:
        sound /= peak
    return sound.astype(np.float32), rate


def _end(
    file: str | _Patched, seconds: float, channels: int
) -> tuple[list[NDArray[np.float64]], int]:
    """Blocks of the last seconds; seeks near the end if the file allows it."""
    with _opened(file) as sound:
        rate = int(sound.samplerate)
        if not _SLOWEST <= rate <= _FASTEST:
            return [], rate
        wanted = round(seconds * rate)
        frames = int(sound.frames)
        if wanted < frames < 1 << 62:
            blocks: list[NDArray[np.float64]] = []
            with contextlib.suppress(RuntimeError):
                sound.seek(frames - wanted)
                blocks = _blocks(sound, wanted, channels)
            if blocks:
                return blocks, rate
    # From the start: the file is short, not seekable, or shorter than its header says.
    if not isinstance(file, str):
        file.seek(0)
    with _opened(file) as sound:
        return _blocks(sound, wanted, channels), rate


def _opened(file: Any) -> Any:
    """A sound file that is read without seeking.

    python-soundfile seeks after every read if it can, which leaves gaps in MP3 and fails at the end
    of a FLAC file without a length.
    """
    import soundfile

    class Sequential(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return Sequential(file)


def _blocks(sound: Any, wanted: int, channels: int) -> list[NDArray[np.float64]]:
    """The last `wanted` frames before the end or before damage."""
    size = max(1, min(_BLOCK, _MOST_VALUES // sound.channels))
    kept: deque[NDArray[np.float64]] = deque()
    frames = 0
    while True:
        try:
            block = sound.read(size, dtype="float64", always_2d=True)
        except RuntimeError:
            if not kept:
                raise
            break  # damaged from here on
        if not len(block):
            break
        if block.shape[1] != channels:
            block = np.repeat(block.mean(axis=1, keepdims=True), channels, axis=1)
        kept.append(block)
        frames += len(block)
        while frames - len(kept[0]) >= wanted:
            frames -= len(kept.popleft())
    if kept and frames > wanted:
        kept[0] = kept[0][frames - wanted :]
    return list(kept)


def _with_length(file: IO[bytes]) -> _Patched | None:
    """A WAV file without a length in its header, with the length filled in; else None."""
    head = file.read(_HEADER)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 <= len(head):
        size = int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"data":
            rest = file.seek(0, io.SEEK_END) - at - 8
            file.seek(0)
            length = min(rest, 0xFFFFFFFE).to_bytes(4, "little")
            return None if size or not rest else _Patched(file, at + 4, length)
        at += 8 + size + size % 2
    return None


class _Patched:
    """A file in which some bytes are replaced when it is read."""

    def __init__(self, file: IO[bytes], at: int, patch: bytes) -> None:
        self._file, self._at, self._patch = file, at, patch

    def read(self, size: int = -1) -> bytes:
        begin = self._file.tell()
        data = bytearray(self._file.read(size))
        for i, byte in enumerate(self._patch):
            if 0 <= (place := self._at + i - begin) < len(data):
                data[place] = byte
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
