"""Writes standard MIDI files during playback. Times in seconds; one owner thread per file.

Type 0, 480 ticks per quarter at 120 BPM: 1.04 ms per tick. After `sync` the file is valid: its
track ends with releases of the keys that are down and an end event, which the next `sync`
overwrites. A crash loses only the events since. The length of a file is not limited.
"""

from __future__ import annotations

import contextlib
import heapq
import math
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from engine.errors import ConfigError, StorageError
from engine.notes.note import NoteEvent

__all__ = ["MidiWriter"]

_TICKS = 480  # per quarter
_TEMPO = 500_000  # microseconds per quarter
_RATE = _TICKS * 1_000_000 // _TEMPO  # ticks per second
_LONGEST_DELTA = (1 << 28) - 1  # ticks: 77 hours
_EMPTY = b"\xff\x01\x00"  # an empty text event, to bridge a longer time
_END = b"\xff\x2f\x00"
_HEAD = b"MThd" + (6).to_bytes(4) + b"\0\0\0\1" + _TICKS.to_bytes(2) + b"MTrk" + bytes(4)
_SIZE_AT = len(_HEAD) - 4  # position of the track's length
_OPENING = b"\0\xff\x51\x03" + _TEMPO.to_bytes(3) + b"\0\xc0\0"  # tempo; grand piano


class MidiWriter:
    """A growing MIDI file of a piano.

    Parameters
    ----------
    path : created, or replaced unless `new`.
    new : refuse an existing file.

    Raises
    ------
    FileExistsError
        `new`, and the file exists.
    StorageError
        The file cannot be written; also raised by `sync` and `close`.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self.notes = 0
        self._waiting: list[tuple[int, int, int]] = []  # heap of tick, velocity, pitch
        self._struck: dict[
            int, int
        ] = {}  # pitch -> tick of the keys that are down after the added events
        self._up: dict[int, int] = {}  # pitch -> tick of its last release
        self._down: set[int] = set()  # pitches, after the written events
        self._last = 0  # tick of the last event written
        self._end, self._closing = 0, b""  # position and content of the bytes that close the track
        try:
            self._file = path.open("xb" if new else "wb", buffering=0)
        except FileExistsError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
            raise self._problem(error) from error
        try:
            self._write(_HEAD + _OPENING, 0)
        except StorageError:
            self._file.close()
            raise

    def add(self, events: Iterable[NoteEvent]) -> None:
        """Add events in the order of their times; `sync` and `close` write them.

        A key that is struck while it is down is released first; releases of other keys are left
        out. A note lasts at least one tick.

        Raises
        ------
        ConfigError
            A pitch or velocity is not in 0..127, a time is negative or not a number.
        """
        for e in events:
            fits = 0 <= e.pitch <= 127 and 0 <= e.velocity <= 127
            if not fits or not math.isfinite(e.seconds) or e.seconds < 0:
                raise ConfigError(
                    f"{e}: use a pitch and velocity of 0 to 127, and seconds of 0 or more"
                )
            tick = max(round(e.seconds * _RATE), self._last)
            if e.pitch in self._struck:
                tick = max(tick, self._struck.pop(e.pitch) + 1)
                heapq.heappush(self._waiting, (tick, 0, e.pitch))
                self._up[e.pitch] = tick
            if e.velocity > 0:
                tick = max(tick, self._up.get(e.pitch, 0))
                heapq.heappush(self._waiting, (tick, e.velocity, e.pitch))
                self._struck[e.pitch] = tick

    def sync(self, seconds: float) -> None:
        """Write the events before `seconds`, which is the end of the file for now.

        Raises
        ------
        ConfigError, StorageError
            `seconds` is negative or not a number, or the file cannot be written.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ConfigError(f"a MIDI file of {seconds!r} seconds: use 0 or more")
        end = max(round(seconds * _RATE), self._last)
        events = bytearray()
        last = self._last
        while self._waiting and self._waiting[0][0] < end:
            tick, velocity, pitch = heapq.heappop(self._waiting)
            events += _delta(tick - last) + bytes((0x90 if velocity else 0x80, pitch, velocity))
            (self._down.add if velocity else self._down.discard)(pitch)
            self.notes += velocity > 0
            last = tick
        self._write(bytes(events), end - last)
        self._last = last

    def close(self, seconds: float) -> None:
        """Write the events before `seconds`, the length of the file, and close it.

        Keys that are still down are released there; later events are left out.

        Raises
        ------
        ConfigError, StorageError
            As `sync`; the file is closed in any case.
        """
        try:
            self.sync(seconds)
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def __enter__(self) -> MidiWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.abandon()

    def _write(self, events: bytes, rest: int) -> None:
        """Append events; close the track with releases and the end event, `rest` ticks later."""
        closing = _delta(rest) + b"".join(bytes((0x80, p, 0, 0)) for p in sorted(self._down)) + _END
        try:
            self._put(events + closing, self._end)
            self._file.truncate()
            size = self._end + len(events) + len(closing) - len(_HEAD)
            self._put(size.to_bytes(4), _SIZE_AT)
        except OSError as error:
            with contextlib.suppress(OSError):  # a full disk has room for the old bytes
                self._put(self._closing, self._end)
                self._file.truncate()
            raise self._problem(error) from error
        self._end, self._closing = self._end + len(events), closing

    def _put(self, data: bytes, at: int) -> None:
        self._file.seek(at)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _problem(self, error: Exception) -> StorageError:
        reason = getattr(error, "strerror", None) or str(error)
        return StorageError(f"cannot write {str(self.path)!r}: {reason}; choose another folder")


def _delta(ticks: int) -> bytes:
    """The time before an event, as numbers of variable length."""
    bridged = b""
    while ticks > _LONGEST_DELTA:
        bridged += b"\xff\xff\xff\x7f" + _EMPTY
        ticks -= _LONGEST_DELTA
    digits = [ticks & 0x7F]
    while ticks := ticks >> 7:
        digits.append(ticks & 0x7F | 0x80)
    return bridged + bytes(reversed(digits))
