"""Text files and names from other systems and editors. Any thread.

macOS writes names in decomposed letters (NFD), Windows editors add a byte order mark. Names are
compared in composed letters (NFC).
"""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from engine.errors import StorageError

__all__ = ["composed", "read_text"]

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def composed(text: str) -> str:
    """The text in NFC: each letter and its marks as one character, if there is one."""
    return unicodedata.normalize("NFC", text)


def read_text(path: Path, largest: int) -> str:
    """Read a UTF-8 text file, with or without a byte order mark, with any line ends.

    Raises
    ------
    OSError
        It cannot be read.
    StorageError
        The file is larger than `largest` bytes, or in another encoding; the message does not name
        it.
    """
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise StorageError(f"it is larger than {largest} bytes; shorten it")
    if data.startswith(_UTF_16):
        raise StorageError("it is saved as UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"byte {error.start} is not UTF-8; save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
