"""Writes sound files that are playable at any moment.

The header is updated after every second of sound, so that a crash loses one second (in Ogg a page,
five seconds at most). When writing fails (the disk is full, the quota used up, the disk removed),
the file ends there and is closed, and the error says what it contains. A WAV file over 4 GiB
becomes RF64; FLAC and Ogg have no size limit.

One owner thread per writer. Arrays: `ndarray [shape=(frames, channels)] float32`.
`engine.audio.sound_reader` reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError

__all__ = ["FORMATS", "SoundWriter", "clock_time", "reason_of"]

# Suffix -> libsndfile format and subtype. Float WAV keeps every bit of the output.
FORMATS: dict[str, tuple[str, str]] = {
    ".flac": ("FLAC", "PCM_24"),
    ".wav": ("RF64", "FLOAT"),
    ".ogg": ("OGG", "VORBIS"),
}
_MOST_AT_ONCE = (
    8192  # frames: libvorbis puts a block on the stack, and crashes with minutes of sound
)
# Commands of libsndfile that python-soundfile does not wrap.
_RF64_AUTO_DOWNGRADE = 0x1210  # plain WAV below 4 GiB
_UPDATE_HEADER_NOW = 0x1060
_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EFBIG: "the file has reached the size limit of this disk or account",
    errno.EIO: "the disk does not answer (input/output error)",
    errno.ENODEV: "the disk was removed",
    errno.EROFS: "the disk is read-only",
}


class SoundWriter:
    """Writes a sound file; the suffix chooses the format.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    rate, channels : int

    Attributes
    ----------
    frames : int
        Frames in the file.

    Raises
    ------
    StorageError
        The suffix is unknown, the folder is missing, or the system refuses the file.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        import soundfile

        self.path = path
        self.frames = 0
        self._rate = rate
        self._unmarked = 0  # frames since the last update of the header
        known = FORMATS.get(path.suffix.lower())
        if known is None:
            raise StorageError(
                f"cannot write {str(path)!r}: {path.suffix!r} is not a sound format; use a name "
                f"ending in {', '.join(FORMATS)}"
            )
        if not path.parent.is_dir():
            raise StorageError(
                f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}; create it "
                "first"
            )
        try:
            self._raw = _FlacFile(path) if known[0] == "FLAC" else _File(path)
        except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
            raise StorageError(
                f"cannot write {str(path)!r}: {reason_of(error)}; choose another place"
            ) from error
        try:
            raw: Any = self._raw  # a file-like object, which the library's type hints leave out
            self._file: Any = soundfile.SoundFile(
                raw, "w", rate, channels, format=known[0], subtype=known[1]
            )
        except (RuntimeError, ValueError, TypeError) as error:
            self._raw.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise StorageError(
                f"cannot write {str(path)!r} with {channels} channels at {rate} Hz: "
                f"{reason_of(error)}"
            ) from error
        if known[0] == "RF64":
            self._command(_RF64_AUTO_DOWNGRADE, 1)
        self._check()

    def write(self, block: NDArray[np.float32]) -> None:
        """Append a block.

        Raises
        ------
        StorageError
            The disk is full, or the file is gone; the file is closed, and `frames` is its length.
        """
        for at in range(0, block.shape[0], _MOST_AT_ONCE):
            self._append(block[at : at + _MOST_AT_ONCE])

    def _append(self, block: NDArray[np.float32]) -> None:
        try:
            self._file.write(block)
        except (RuntimeError, ValueError) as error:
            self._raw.error = self._raw.error or OSError(errno.EIO, reason_of(error))
        self._check()
        self.frames += block.shape[0]
        self._unmarked += block.shape[0]
        if self._unmarked >= self._rate:
            self._unmarked = 0
            self._mark()
            self._check()

    def close(self) -> None:
        """Write the headers and close; closing twice is harmless.

        Raises
        ------
        StorageError
            The disk is full.
        """
        if not self.frames and not self._raw.closed and self._raw.error is None:
            # Without a frame libsndfile writes no FLAC header, and the file cannot be opened.
            self._file.write(np.zeros((1, self._file.channels), np.float32))
        self._file.close()
        self._raw.close()
        self._check()

    def check_exists(self) -> None:
        """Check that the file still exists under its name.

        Raises
        ------
        StorageError
            It was deleted or moved, or its disk was removed; the file is closed.
        """
        if self._raw.closed:
            return
        try:
            if os.path.samestat(self.path.stat(), self._raw.stat()):
                return
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._raw.error = self._raw.error or error
        self._raw.error = self._raw.error or FileNotFoundError(errno.ENOENT, "gone")
        self._check()

    def _mark(self) -> None:
        """Update the header."""
        if isinstance(self._raw, _FlacFile):
            self._raw.mark()
        elif self.path.suffix.lower() == ".wav":
            self._command(_UPDATE_HEADER_NOW, 0)

    def _command(self, number: int, value: int) -> None:
        import soundfile

        library: Any = soundfile
        library._snd.sf_command(self._file._file, number, library._ffi.NULL, value)

    def _check(self) -> None:
        """Close the file and raise, if a write has failed.

        Raises
        ------
        StorageError
            The message can be shown: what happened, what the file contains, what to do.
        """
        problem = self._raw.error
        if problem is None:
            return
        self._file.close()
        self._raw.close()
        if isinstance(problem, FileNotFoundError):
            self.frames = 0
            raise StorageError(
                f"{self.path} is no longer there: it was deleted or moved, or its disk was "
                "removed. Choose another place."
            ) from problem
        self.frames = self._readable_frames()
        content = f"{self.path.name} holds {clock_time(self.frames / self._rate)} and can be played"
        if not self.frames:
            content = f"{self.path.name} is empty"
        advice = "Free some space or choose" if problem.errno == errno.ENOSPC else "Choose"
        raise StorageError(f"{reason_of(problem)}. {content}. {advice} another place.") from problem

    def _readable_frames(self) -> int:
        """Frames that a reader finds in the file."""
        import soundfile

        try:
            return int(soundfile.info(str(self.path)).frames)
        except (OSError, RuntimeError, TypeError, ValueError):
            return 0


class _File:
    """The file that libsndfile writes to. It keeps the first error, which libsndfile loses.

    (libsndfile reports "System error" at best, and its Vorbis writer ignores a full disk.) After an
    error nothing is appended, but headers can still be updated.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = path.open("wb+", buffering=0)
        self._size = 0

    @property
    def closed(self) -> bool:
        return self._file.closed

    def stat(self) -> os.stat_result:
        return os.fstat(self._file.fileno())

    def write(self, data: bytes) -> int:
        at = self.tell()
        if self.error is not None and at + len(data) > self._size:
            return len(data)
        try:
            self._write_all(data)
        except OSError as error:
            if self.error is None:
                self.error = error
                self._cut(at)
        else:
            self._size = max(self._size, at + len(data))
            self._added(at, data)
        return len(data)

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _cut(self, at: int) -> None:
        """Remove the rest of an incomplete write at the end."""
        if at >= self._size:
            with contextlib.suppress(OSError):
                self._file.truncate(at)
                self._file.seek(at)

    def _added(self, at: int, data: bytes) -> None:
        """Called after a write."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if self._file.closed:
            return
        self._before_close()
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error

    def _before_close(self) -> None:
        """Called before the file closes."""


class _FlacFile(_File):
    """A FLAC file whose header has the present length.

    libFLAC writes every frame at once, but the total length and the checksum at the end only.
    STREAMINFO starts at byte 8 (RFC 9639, 8.2).
    """

    _BLOCK_AT = 8  # samples per frame, 2 bytes
    _LENGTH_AT, _LENGTH_BITS = 21, 36  # of 5 bytes
    _SUM_AT, _SUM_BYTES = 26, 16  # MD5; zeros: unknown
    _SYNC = b"\xff\xf8"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._blocks = 0

    def _added(self, at: int, data: bytes) -> None:
        self._blocks += data[:2] == self._SYNC and at + len(data) == self._size

    def mark(self) -> None:
        """Write the number of samples in whole frames into the header."""
        try:
            here = self._file.tell()
            self._file.seek(self._BLOCK_AT)
            samples = self._blocks * int.from_bytes(self._file.read(2))
            self._file.seek(self._LENGTH_AT)
            kept = int.from_bytes(self._file.read(5)) >> self._LENGTH_BITS << self._LENGTH_BITS
            if samples >> self._LENGTH_BITS:
                samples = 0  # unknown: 16 days at 48 kHz
            self._file.seek(self._LENGTH_AT)
            self._write_all((kept | samples).to_bytes(5))
            self._file.seek(here)
        except OSError as error:
            self.error = self.error or error

    def _before_close(self) -> None:
        if self.error is None:
            return
        # The encoder has written the length and checksum of all samples, not of those in the file.
        self.mark()
        with contextlib.suppress(OSError):
            self._file.seek(self._SUM_AT)
            self._write_all(bytes(self._SUM_BYTES))


def clock_time(seconds: float) -> str:
    """A length such as 3:20, or 1:02:03."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


def reason_of(error: Exception) -> str:
    """Why a file operation failed, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return _REASONS.get(error.errno or 0, error.strerror.lower())
    return " ".join(str(error).split()) or type(error).__name__
