"""Standard MIDI files: notes in, events out. Times in seconds. Any thread; reads and writes disks.

A file is read as one piano would play it: all tracks and channels but percussion on one keyboard
with one sustain pedal. It is written as type 0, 480 ticks a quarter at 120 a minute: 1.04 ms.
"""

from __future__ import annotations

import io
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido

from engine.errors import ConfigError, StorageError
from engine.signal.roll import LOWEST, PITCHES, Note, NoteEvent

__all__ = ["LONGEST", "read_midi", "write_midi"]

LONGEST = 2 * 3600  # seconds
_LARGEST = 8 * 2**20  # bytes; a two-hour recital has about one million
_TICKS = 480  # a quarter
_TEMPO = 500_000  # microseconds a quarter
_RATE = _TICKS * 1_000_000 // _TEMPO  # ticks a second
_SUSTAIN = 64  # controller number; down from value 64 on
_PERCUSSION = 9  # channel, counted from 0


# ---- Reading


def read_midi(path: Path) -> list[Note]:
    """Read the notes of the 88 keys, lengthened to where the pedal lets them go.

    What nothing ends sounds until the last message. A file that stops in the midst of its data is
    refused, not read in part.

    Returns
    -------
    list of Note
        One or more, in the order of their starts; seconds from the file's beginning.

    Raises
    ------
    StorageError
        The file is missing, damaged, of type 2, timed by film frames, longer than two hours, or
        has no note from A0 to C8.
    """
    keyboard = _Keyboard()
    for message in _messages(path):
        keyboard.take(message)
    notes = keyboard.close()
    notes = [n for n in notes if 0 <= n.pitch - LOWEST < PITCHES and n.end > n.start]
    if not notes:
        raise StorageError(f"cannot use {str(path)!r}: it has no notes from A0 to C8; give another")
    longest = max(n.end for n in notes)
    if longest > LONGEST:
        raise StorageError(
            f"cannot use {str(path)!r}: it lasts {longest / 3600:.3g} hours, at most 2 can "
            "be read; cut it"
        )
    return sorted(notes, key=lambda n: (n.start, n.pitch))


def _messages(path: Path) -> Iterator[Any]:
    """Messages of all tracks in order, `time` being seconds since the one before."""
    where = f"cannot read {str(path)!r}"
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise StorageError(f"{where}: {size} bytes, at most {_LARGEST} can be; cut it")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{where}: {reason}; give a MIDI file") from error
    if data[:4] != b"MThd":
        raise StorageError(f"{where}: it is not a MIDI file; give a .mid file")
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
        if file.type not in (0, 1):
            raise StorageError(f"{where}: type {file.type}; save it again as type 0 or 1")
        if file.ticks_per_beat <= 0:
            raise StorageError(f"{where}: timed by film frames; save it again timed by beats")
        return iter(list(file))
    except StorageError:
        raise
    except Exception as error:  # mido raises a dozen unrelated types
        reason = "it ends too early" if isinstance(error, EOFError) else "it is damaged"
        raise StorageError(f"{where}: {reason}; save it again, or give another") from error


@dataclass
class _Keyboard:
    """Keys and pedal while a file goes by."""

    now: float = 0.0
    notes: list[Note] = field(default_factory=list[Note])
    _pedal: bool = False
    # By pitch, (velocity, start) of what is held by a finger, and of what only the pedal holds.
    _down: defaultdict[int, list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _held: defaultdict[int, list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def take(self, message: Any) -> None:
        self.now += message.time
        if getattr(message, "channel", _PERCUSSION) == _PERCUSSION:
            return
        if message.type == "control_change" and message.control == _SUSTAIN:
            self._pedal = message.value >= 64
            if not self._pedal:
                self._let_go(self._held)
        elif message.type == "note_on" and message.velocity > 0:
            self._end(message.note, self._held.pop(message.note, []))
            self._down[message.note].append((message.velocity, self.now))
        elif message.type in ("note_off", "note_on") and self._down[message.note]:
            key = self._down[message.note].pop(0)
            if self._pedal:
                self._held[message.note].append(key)
            else:
                self._end(message.note, [key])

    def close(self) -> list[Note]:
        self._let_go(self._down)
        self._let_go(self._held)
        return self.notes

    def _let_go(self, keys: defaultdict[int, list[tuple[int, float]]]) -> None:
        for pitch, sounding in keys.items():
            self._end(pitch, sounding)
        keys.clear()

    def _end(self, pitch: int, sounding: list[tuple[int, float]]) -> None:
        self.notes += [Note(pitch, velocity, start, self.now) for velocity, start in sounding]


# ---- Writing


def write_midi(path: Path, notes_events: Iterable[NoteEvent], seconds: float) -> None:
    """Write events as a piano's MIDI file; the file is there whole, or as it was before.

    Parameters
    ----------
    path : replaced where it exists
    notes_events : in any order. A key that is struck while it sounds comes up first; ups of silent
        keys, and what is struck from `seconds` on, are left out. A note lasts a tick at least.
    seconds : the file's length; keys still down then come up

    Raises
    ------
    ConfigError
        A pitch or velocity is not in 0..127, a time is negative or no number, or `seconds` is not
        in 0..7200.
    StorageError
        The file cannot be written.
    """
    if not 0 <= seconds <= LONGEST:
        raise ConfigError(f"a MIDI file of {seconds!r} seconds: must be 0 to {LONGEST}")
    events = sorted(notes_events, key=lambda e: (e.seconds, e.velocity))
    for e in events:
        sound = 0 <= e.pitch <= 127 and 0 <= e.velocity <= 127
        if not sound or not math.isfinite(e.seconds) or e.seconds < 0:
            raise ConfigError(f"{e}: pitch and velocity must be 0..127, seconds 0 or more")
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS)
    file.tracks.append(_track(_strokes(events, round(seconds * _RATE)), round(seconds * _RATE)))
    try:
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as out:
                file.save(file=out)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it, or none
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"cannot write {str(path)!r}: {reason}; name a file in a folder that can be written to"
        ) from error


def _strokes(events: list[NoteEvent], end: int) -> list[tuple[int, int, int]]:
    """(tick, velocity, pitch) with each down followed by its up, ups first within a tick."""
    made: list[tuple[int, int, int]] = []
    down: dict[int, int] = {}  # the tick at which a pitch went down
    for e in events:
        tick = min(round(e.seconds * _RATE), end)
        if e.pitch in down:
            tick = max(tick, down.pop(e.pitch) + 1)
            made.append((tick, 0, e.pitch))
        if e.velocity > 0 and tick < end:
            made.append((tick, e.velocity, e.pitch))
            down[e.pitch] = tick
    made += [(end, 0, pitch) for pitch in down]
    return sorted(made, key=lambda m: m[:2])


def _track(strokes: list[tuple[int, int, int]], end: int) -> mido.MidiTrack:
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=_TEMPO))
    track.append(mido.Message("program_change", program=0))  # grand piano
    last = 0
    for tick, velocity, pitch in strokes:
        name = "note_on" if velocity else "note_off"
        track.append(mido.Message(name, note=pitch, velocity=velocity, time=tick - last))
        last = tick
    track.append(mido.MetaMessage("end_of_track", time=end - last))
    return track
