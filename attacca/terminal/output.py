"""Standard output and standard error that never fail and never wait long.

While music plays, a full disk, a closed pipe, a stopped terminal or a character that cannot be
encoded must not stop the main loop. `tolerant_output` replaces `sys.stdout` and `sys.stderr` with
streams that drop and count output that cannot be written, and replace characters that cannot be
encoded. Log messages become lines that begin with `attacca:`; a message that repeats is written
once in ten seconds. Entered on the main thread; any thread may write to the streams.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

__all__ = [
    "LogLines",
    "TolerantStream",
    "TolerantWriter",
    "fill_standard_streams",
    "tolerant_output",
]

_MOST = 1 << 16  # bytes that wait for a slow reader; more are dropped
_FLUSH = 0.2  # seconds that a flush waits for the system to take everything
_AT_EXIT = 1.0
_REPEAT = 10.0  # seconds between two lines of the same kind in the log
_RETRY = 0.02  # seconds until a descriptor that is full is tried again


class TolerantWriter(io.RawIOBase):
    """Passes bytes to a thread that writes them, so the caller never fails and never waits.

    Parameters
    ----------
    raw : the unbuffered stream to write to; it stays open.

    Attributes
    ----------
    dropped : calls whose bytes were lost.
    error : the last reason, or None.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._busy = self._stuck = self._ending = False
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor of the raw stream."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()

    def write(self, data: Any) -> int:
        """Queue a copy of `data`, or drop it if the queue is full. Returns its size."""
        block = bytes(data)
        with self._changed:
            if sum(map(len, self._waiting)) + len(block) > _MOST:
                self.dropped += 1
                return len(block)
            self._waiting.append(block)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="attacca-output", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return len(block)

    def settle(self, seconds: float) -> None:
        """Wait until everything is written, at most `seconds`; not if that failed before."""
        with self._changed:
            if not self._stuck:
                self._stuck = not self._changed.wait_for(self._is_idle, seconds)

    def finish(self, seconds: float) -> None:
        """Wait until everything is written, at most `seconds`, and end the thread."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            if not self._changed.wait_for(self._is_idle, seconds):
                self.dropped += len(self._waiting) + self._busy
                self._waiting.clear()

    def _is_idle(self) -> bool:
        return not (self._waiting or self._busy)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting) or self._ending)
                if not self._waiting:
                    self._thread = None
                    return
                block, self._busy = self._waiting.popleft(), True
            try:
                self._write_all(memoryview(block))
            except (OSError, ValueError) as error:  # ValueError: the stream has been closed
                self.dropped += 1
                self.error = error if isinstance(error, OSError) else OSError(errno.EBADF, "closed")
            self._stuck = False

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            count = self._raw.write(rest)
            if count is None:  # a non-blocking descriptor that is full
                time.sleep(_RETRY)
            else:
                rest = rest[count:]


class TolerantStream(io.TextIOWrapper):
    """Text over a `TolerantWriter`; characters that cannot be encoded become a question mark."""

    def __init__(self, raw: io.RawIOBase, encoding: str, *, line_buffering: bool = False) -> None:
        self.writer = TolerantWriter(raw)
        super().__init__(
            io.BufferedWriter(self.writer), encoding=encoding, errors="replace",
            line_buffering=line_buffering,
        )  # fmt: skip

    def flush(self) -> None:
        """Write as much as the system takes in a fifth of a second."""
        super().flush()
        self.writer.settle(_FLUSH)


class LogLines(logging.Handler):
    """Writes warnings to standard error; repeated ones once in ten seconds, with a count."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("attacca: %(message)s"))
        self._last: dict[tuple[str, int], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, or count it as a repetition."""
        kind = record.pathname, record.lineno
        at, repeated = self._last.get(kind, (-_REPEAT, 0))
        if 0 <= record.created - at < _REPEAT:  # a clock that is set back must not silence it
            self._last[kind] = at, repeated + 1
            return
        self._last[kind] = record.created, 0
        more = f" (and {repeated} times before)" if repeated else ""
        text = self.format(record)
        if not record.name.startswith("attacca"):
            text = text.partition("\n")[0]  # a performer has no use for a library's traceback
        print(text + more, file=sys.stderr, flush=True)


@contextlib.contextmanager
def tolerant_output() -> Iterator[None]:
    """Replace standard output and error with tolerant streams while music plays.

    Reports at the end how much could not be written, unless the reader closed the pipe.
    """
    before = sys.stdout, sys.stderr
    out, err = (_tolerant(stream) for stream in (sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = out, err
    lines = LogLines()
    logging.getLogger().addHandler(lines)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(lines)
        for stream in (out, err):
            if isinstance(stream, TolerantStream):
                stream.flush()
                stream.writer.finish(_AT_EXIT)
                if stream is out:
                    _report(stream.writer)
        sys.stdout, sys.stderr = before


def _report(writer: TolerantWriter) -> None:
    if not writer.dropped or (writer.error is not None and writer.error.errno == errno.EPIPE):
        return  # the reader closed the pipe on purpose
    reason = writer.error.strerror if writer.error is not None else "its reader was too slow"
    text = f"attacca: {writer.dropped} writes to standard output were lost: {reason}"
    print(text, file=sys.stderr)


def _tolerant(stream: IO[str]) -> IO[str]:
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED the buffer is the raw stream
    if not isinstance(raw, io.RawIOBase):  # not a system file: a notebook's stream, or a test's
        return stream
    with contextlib.suppress(OSError):
        stream.flush()
    buffered_by_line = bool(getattr(stream, "line_buffering", False))
    encoding = str(getattr(stream, "encoding", "utf-8"))
    return TolerantStream(raw, encoding, line_buffering=buffered_by_line)


def fill_standard_streams() -> None:
    """Open standard streams that were closed, and let them replace characters they cannot encode.

    Without this, the next file that is opened (a recording for instance) would get the number of
    standard error, and libraries would write their messages into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
