"""Standard MIDI files, written while the music goes on. Times in seconds; one owner thread a file.

Type 0, 480 ticks a quarter at 120 a minute: 1.04 ms a tick. `sync` leaves a file that every program
reads: its track ends with the ups of the keys that are down and an end event, which the next `sync`
overwrites. So a crash costs what was added since. There is no longest file.
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

__all__ = ["MidiWriter", "write_midi"]

_TICKS = 480  # a quarter
_TEMPO = 500_000  # microseconds a quarter
_RATE = _TICKS * 1_000_000 // _TEMPO  # ticks a second
_LONGEST_DELTA = (1 << 28) - 1  # ticks: 77 hours
_NOTHING = b"\xff\x01\x00"  # an empty text, to bridge a longer time
_END = b"\xff\x2f\x00"
_HEAD = b"MThd" + (6).to_bytes(4) + b"\0\0\0\1" + _TICKS.to_bytes(2) + b"MTrk" + bytes(4)
_SIZE_AT = len(_HEAD) - 4  # of the track's length
_OPENING = b"\0\xff\x51\x03" + _TEMPO.to_bytes(3) + b"\0\xc0\0"  # tempo; grand piano


class MidiWriter:
    """A piano's MIDI file that grows.

    Parameters
    ----------
    path : created; a file of that name is replaced unless `new`.
    new : whether a file of that name is left alone and refused.

    Raises
    ------
    FileExistsError
        `new`, and there is one of that name.
    StorageError
        The file cannot be written (also from `sync` and `close`).
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self.notes = 0
        self._waiting: list[tuple[int, int, int]] = []  # heap of tick, velocity, pitch
        self._struck: dict[int, int] = {}  # pitch -> tick of what is down, by the events added
        self._up: dict[int, int] = {}  # pitch -> tick at which it came up last
        self._down: set[int] = set()  # by the events written
        self._last = 0  # tick of the last event written
        self._end, self._closing = 0, b""  # where the bytes that close the track stand, and they
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
        """Take events, in order of their times; `sync` and `close` write them.

        A key that is struck while it sounds comes up first; ups of silent keys are left out. A note
        lasts a tick at least.

        Raises
        ------
        ConfigError
            A pitch or velocity is not in 0..127, a time is negative or not a number.
        """
        for e in events:
            fits = 0 <= e.pitch <= 127 and 0 <= e.velocity <= 127
            if not fits or not math.isfinite(e.seconds) or e.seconds < 0:
                raise ConfigError(f"{e}: pitch and velocity must be 0..127, seconds 0 or more")
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
        """Write what happens before `seconds`, and make it the file's end for now.

        Raises
        ------
        ConfigError, StorageError
            `seconds` is negative or not a number; the file cannot be written.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ConfigError(f"a MIDI file of {seconds!r} seconds: must be 0 or more")
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
        """Write what happens before `seconds`, the file's length, and close it.

        Keys that are still down come up then, and what comes later is left out.

        Raises
        ------
        ConfigError, StorageError
            As `sync` does; the file is closed in any case.
        """
        try:
            self.sync(seconds)
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it stands."""
        self._file.close()

    def __enter__(self) -> MidiWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.abandon()

    def _write(self, events: bytes, rest: int) -> None:
        """Append events; then close the track with the ups and the end, `rest` ticks later."""
        closing = _delta(rest) + b"".join(bytes((0x80, p, 0, 0)) for p in sorted(self._down)) + _END
        try:
            self._put(events + closing, self._end)
            self._file.truncate()
            size = self._end + len(events) + len(closing) - len(_HEAD)
            self._put(size.to_bytes(4), _SIZE_AT)
        except OSError as error:
            with contextlib.suppress(OSError):  # on a full disk there is room for what was there
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
        return StorageError(
            f"cannot write {str(self.path)!r}: {reason}; name a file in a folder that can be "
            "written to"
        )


def write_midi(path: Path, events: Iterable[NoteEvent], seconds: float) -> None:
    """Write a whole file at once; see `MidiWriter`.

    Parameters
    ----------
    path : replaced where it exists
    events : in any order
    seconds : the file's length; keys that are still down come up then

    Raises
    ------
    ConfigError, StorageError
        As `MidiWriter`.
    """
    with MidiWriter(path) as writer:
        writer.add(sorted(events, key=lambda e: (e.seconds, e.velocity)))
        writer.close(seconds)


def _delta(ticks: int) -> bytes:
    """The time before an event, in numbers of variable length."""
    bridged = b""
    while ticks > _LONGEST_DELTA:
        bridged += b"\xff\xff\xff\x7f" + _NOTHING
        ticks -= _LONGEST_DELTA
    digits = [ticks & 0x7F]
    while ticks := ticks >> 7:
        digits.append(ticks & 0x7F | 0x80)
    return bridged + bytes(reversed(digits))
