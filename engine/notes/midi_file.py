"""Reads standard MIDI files as one piano would play them. Times in seconds. Any thread.

All tracks and channels except percussion play one keyboard with one sustain pedal. Many files break
the standard, so the reader uses notes, pedal and tempo only and skips everything else: other meta
events, system messages, unknown chunks, bytes before the header or after the last track, a wrong
number of tracks, a wrong track length. `engine.notes.midi_writer` writes files.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from engine.errors import StorageError
from engine.notes.note import LOWEST, PITCHES, Note

__all__ = ["read_midi"]

_LARGEST = 32 * 2**20  # bytes: days of music
_JUNK = 4096  # bytes before the header, as in RIFF and MacBinary
_TEMPO = 500_000  # microseconds per quarter, until a file sets a tempo
_QUICKEST = 1_000  # microseconds per quarter; a faster tempo is ignored
_LONGEST_NUMBER = 5  # bytes of a variable-length number; the standard has 4
_SUSTAIN = 64  # controller number; down from value 64 on
_PERCUSSION = 9  # channel, counted from 0
_NOTE_OFF, _NOTE_ON, _CONTROL = 0x80, 0x90, 0xB0
_META, _SYSEX, _SYSEX_MORE = 0xFF, 0xF0, 0xF7
_END, _SET_TEMPO = 0x2F, 0x51  # meta events
_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # of system messages; 0 for the others


class _Event(NamedTuple):
    """A key or pedal event. `value` is the velocity (0 is up), or the position of the pedal."""

    tick: int
    pitch: int  # _PEDAL for the pedal
    value: int


_PEDAL = -1


@dataclass
class _Track:
    events: list[_Event] = field(default_factory=list[_Event])
    tempos: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])  # tick, tempo
    length: int = 0  # ticks


class _InvalidFile(Exception):
    """Why a file cannot be read, in a few words."""


def read_midi(path: Path) -> list[Note]:
    """Read the notes of the 88 keys; the sustain pedal lengthens them.

    A note without an end lasts until the last event. A file that ends in the middle of a track is
    refused. The tracks of a type 2 file are concatenated.

    Returns
    -------
    list of Note
        One or more, in the order of their starts; seconds from the start of the file.

    Raises
    ------
    StorageError
        The file is missing, larger than 32 MiB, damaged, or has no note from A0 to C8.
    """
    where = f"cannot read {str(path)!r}"
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise StorageError(
                f"{where}: it has {size} bytes; use a file of {_LARGEST} bytes or less"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{where}: {reason}; choose a MIDI file") from error
    try:
        notes = _notes(data)
    except _InvalidFile as error:
        raise StorageError(f"{where}: {error}") from error
    notes = [n for n in notes if 0 <= n.pitch - LOWEST < PITCHES and n.end > n.start]
    if not notes:
        raise StorageError(
            f"cannot use {str(path)!r}: it has no notes from A0 to C8; choose another"
        )
    return sorted(notes, key=lambda n: (n.start, n.pitch))


def _notes(data: bytes) -> list[Note]:
    head = data.find(b"MThd", 0, _JUNK)
    if head < 0:
        raise _InvalidFile("it is not a MIDI file; choose a .mid file")
    if len(data) < head + 14:
        raise _InvalidFile("it ends too early; export it again, or choose another")
    size = int.from_bytes(data[head + 4 : head + 8])
    kind = int.from_bytes(data[head + 8 : head + 10])
    division = data[head + 12 : head + 14]
    tracks = _tracks(data, head + 8 + max(size, 6))
    if not tracks:
        raise _InvalidFile("it has no tracks; export it again, or choose another")
    if kind == 2:
        _concatenate(tracks)
    times = _Times(division, sorted(t for track in tracks for t in track.tempos))
    keyboard = _Keyboard()
    for event in sorted((e for t in tracks for e in t.events), key=lambda e: e.tick):
        keyboard.play(times.seconds(event.tick), event.pitch, event.value)
    return keyboard.end(times.seconds(max(t.length for t in tracks)))


def _concatenate(tracks: list[_Track]) -> None:
    """Move each track to the end of the one before it."""
    for before, track in pairwise(tracks):
        track.events = [e._replace(tick=e.tick + before.length) for e in track.events]
        track.tempos = [(tick + before.length, tempo) for tick, tempo in track.tempos]
        track.length += before.length


class _Times:
    """Converts ticks to seconds: by beats and tempo, or by film frames."""

    def __init__(self, division: bytes, tempos: list[tuple[int, int]]) -> None:
        frames, parts = division
        if frames < 0x80:
            ticks = int.from_bytes(division)
            if not ticks:
                raise _InvalidFile(
                    "its header has 0 ticks per beat; export it again, or choose another"
                )
            tempos = [(0, _TEMPO), *tempos]
            scale = 1e-6 / ticks
        else:
            rate = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}.get(256 - frames)
            if rate is None or not parts:
                raise _InvalidFile(
                    f"its header has {256 - frames} film frames per second of {parts} ticks; "
                    "export it with times in beats"
                )
            tempos, scale = [(0, 1)], 1 / (rate * parts)
        self._starts = [tick for tick, _ in tempos]
        self._rates = [tempo * scale for _, tempo in tempos]  # seconds per tick
        steps = (
            (b - a) * r for (a, b), r in zip(pairwise(self._starts), self._rates, strict=False)
        )
        self._at = list(accumulate(steps, initial=0.0))

    def seconds(self, tick: int) -> float:
        """Seconds from the start of the file."""
        i = bisect_right(self._starts, tick) - 1
        return self._at[i] + (tick - self._starts[i]) * self._rates[i]


# ---- Tracks


def _tracks(data: bytes, at: int) -> list[_Track]:
    tracks: list[_Track] = []
    while (at := data.find(b"MTrk", at)) >= 0:
        size = int.from_bytes(data[at + 4 : at + 8])
        track, at = _Reader(data, at + 8, size).read()
        tracks.append(track)
    return tracks


class _Reader:
    """Reads one track, up to its length and its end event.

    If the two differ: the end event counts if the length is too short or reaches beyond the file;
    otherwise an end event before the length is skipped.
    """

    def __init__(self, data: bytes, at: int, size: int) -> None:
        self._data, self._at = data, at
        self._fits = at + size <= len(data)
        self._end = min(at + size, len(data))
        self._ended = False
        self._tick = self._status = 0
        self._track = _Track()

    def read(self) -> tuple[_Track, int]:
        """The track, and where the next chunk may start."""
        try:
            while not self._over():
                self._tick += self._number()
                self._event()
                self._track.length = self._tick
        except _InvalidFile:
            if not self._ended:  # bytes after an end event do not matter
                raise
        return self._track, max(self._at, self._end if self._fits else 0)

    def _over(self) -> bool:
        if self._at >= self._end:
            cut = self._at >= len(self._data) and not self._fits
            next_one = self._data[self._at : self._at + 4] == b"MTrk"
            if cut and not self._ended:
                raise _InvalidFile("it ends too early; export it again, or choose another")
            return self._ended or next_one or self._at >= len(self._data)
        return self._ended and not self._fits

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise _InvalidFile("it ends too early; export it again, or choose another")
        self._at += 1
        return self._data[self._at - 1]

    def _number(self) -> int:
        """A number of variable length."""
        number = 0
        for _ in range(_LONGEST_NUMBER):
            byte = self._byte()
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        raise _InvalidFile("it is damaged; export it again, or choose another")

    def _event(self) -> None:
        status = self._byte()
        if status == _META:
            self._meta(self._byte(), self._skip(self._number()))
        elif status in (_SYSEX, _SYSEX_MORE):
            self._skip(self._number())
            self._status = 0
        elif status > _SYSEX:
            self._skip(_DATA_BYTES.get(status, 0))
        else:
            if status < 0x80:  # running status
                self._at -= 1
                status = self._status
            self._status = status
            first = min(self._byte(), 127)
            second = 0 if 0xC0 <= status < 0xE0 else min(self._byte(), 127)
            self._channel(status & 0xF0, status & 0x0F, first, second)

    def _skip(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise _InvalidFile("it ends too early; export it again, or choose another")
        self._at += count
        return self._data[self._at - count : self._at]

    def _meta(self, kind: int, content: bytes) -> None:
        if kind == _END:
            self._ended = True
        elif kind == _SET_TEMPO and len(content) >= 3:
            tempo = int.from_bytes(content[:3])
            if tempo >= _QUICKEST:
                self._track.tempos.append((self._tick, tempo))

    def _channel(self, kind: int, channel: int, first: int, second: int) -> None:
        if channel == _PERCUSSION:
            return
        if kind in (_NOTE_OFF, _NOTE_ON):
            velocity = second if kind == _NOTE_ON else 0
            self._track.events.append(_Event(self._tick, first, velocity))
        elif kind == _CONTROL and first == _SUSTAIN:
            self._track.events.append(_Event(self._tick, _PEDAL, second))


# ---- Keys and pedal


@dataclass
class _Keyboard:
    """The state of keys and pedal while a file is read."""

    notes: list[Note] = field(default_factory=list[Note])
    _pedal: bool = False
    # By pitch, (velocity, start) of keys that are down, and of keys that only the pedal holds.
    _down: defaultdict[int, list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _held: defaultdict[int, list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def play(self, now: float, pitch: int, value: int) -> None:
        if pitch == _PEDAL:
            self._pedal = value >= 64
            if not self._pedal:
                self._release(self._held, now)
        elif value:
            self._finish(pitch, self._held.pop(pitch, []), now)
            self._down[pitch].append((value, now))
        elif self._down[pitch]:
            key = self._down[pitch].pop(0)
            if self._pedal:
                self._held[pitch].append(key)
            else:
                self._finish(pitch, [key], now)

    def end(self, now: float) -> list[Note]:
        self._release(self._down, now)
        self._release(self._held, now)
        return self.notes

    def _release(self, keys: defaultdict[int, list[tuple[int, float]]], now: float) -> None:
        for pitch, sounding in keys.items():
            self._finish(pitch, sounding, now)
        keys.clear()

    def _finish(self, pitch: int, sounding: list[tuple[int, float]], now: float) -> None:
        self.notes += [Note(pitch, velocity, start, now) for velocity, start in sounding]
