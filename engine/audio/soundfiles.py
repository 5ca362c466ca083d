"""Opening and writing sound files, with errors that name the file and the cure.

One owner thread for each writer. Arrays: `ndarray [shape=(frames, channels)] float32`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import StorageError

__all__ = ["FORMATS", "SoundWriter"]

# Suffix -> libsndfile format and subtype. Float WAV keeps every bit of what was heard.
FORMATS: dict[str, tuple[str, str]] = {
    ".flac": ("FLAC", "PCM_24"),
    ".wav": ("WAV", "FLOAT"),
    ".ogg": ("OGG", "VORBIS"),
}


class SoundWriter:
    """A sound file being written; the suffix chooses the format.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    rate, channels : int

    Raises
    ------
    StorageError
        The suffix is unknown, the folder is missing, or the system refuses the file.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        import soundfile

        self.path = path
        self.frames = 0
        known = FORMATS.get(path.suffix.lower())
        if known is None:
            raise StorageError(
                f"cannot tell the format of {str(path)!r} from {path.suffix!r}; end the name in "
                f"{', '.join(FORMATS)}"
            )
        if not path.parent.is_dir():
            raise StorageError(
                f"cannot write {str(path)!r}: no folder {str(path.parent)!r}; create it first"
            )
        try:
            self._raw = _CheckedFile(path)
        except OSError as error:
            raise StorageError(
                f"cannot write {str(path)!r}: {_reason(error)}; choose another place"
            ) from error
        try:
            raw: Any = self._raw  # a file-like object, which the library's own hints leave out
            self._file: Any = soundfile.SoundFile(
                raw, "w", rate, channels, format=known[0], subtype=known[1]
            )
        except (RuntimeError, ValueError, TypeError) as error:
            self._raw.close()
            raise StorageError(
                f"cannot write {str(path)!r} with {channels} channels at {rate} Hz: "
                f"{_reason(error)}"
            ) from error
        self._check()

    def write(self, block: NDArray[np.float32]) -> None:
        """Append a block.

        Raises
        ------
        StorageError
            The disk is full, or the file is gone.
        """
        self._file.write(block)
        self._check()
        self.frames += block.shape[0]

    def sync(self) -> None:
        """Hand everything written so far to the system, so that a crash loses little.

        Raises
        ------
        StorageError
            The disk is full.
        """
        if not self._raw.closed:
            self._file.flush()
            self._raw.flush()
        self._check()

    def close(self) -> None:
        """Write the headers and close; closing twice is harmless.

        Raises
        ------
        StorageError
            The disk is full.
        """
        self._file.close()
        self._raw.close()
        self._check()

    def _check(self) -> None:
        if self._raw.error is not None:
            self._file.close()
            self._raw.close()
            raise StorageError(
                f"cannot write on in {str(self.path)!r} after {self.frames} frames: "
                f"{_reason(self._raw.error)}; free some room or choose another place"
            ) from self._raw.error


class _CheckedFile:
    """The file under libsndfile. It keeps the system's error, which libsndfile would lose.

    (libsndfile says "System error" at best, and its Vorbis writer ignores a full disk.)
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = path.open("wb")

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self.error = self.error or error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
