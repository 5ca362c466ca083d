"""Works on the beat grid, read from POP909, OpenScore Lieder and scores on a grid of beats.

Time is in ticks of a 24th of a beat (a quarter note), so that sixteenths, triplets and
thirty-seconds are whole numbers. Every onset moves to the nearest place that a token can express
(`PLACES`): sixteenths, triplets and thirty-seconds. Micro-timing belongs to the performance.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mido
import numpy as np

from training.data import harmony
from training.data.notes import HIGHEST, LOWEST, SUSTAIN

BEAT = 24  # ticks
TOKEN = BEAT // 4
STEP = BEAT // 2  # chords and keys are noted per eighth: bars are whole numbers of eighths
PLACES = (-3, -2, 0, 2)  # ticks from the sixteenth: thirty-second, triplet, grid, triplet
LONGEST_BAR = 48  # tokens
PIANO, MELODY, BRIDGE = range(3)  # parts
_GRIDS = ((6, 0.0), (4, 1.0), (3, 1.0), (1, 2.0))  # spacing in ticks and its penalty
_STUCK = 16  # strings; a piano piece rarely has more sounding at once
_STUCK_SHARE = 0.2  # of the time, above which a pedal counts as stuck


@dataclass(frozen=True)
class Work:
    """One piece.

    Attributes
    ----------
    notes : int32 [notes, 5]: onset, length, pitch, velocity, part, in the order of onsets.
    bars : int32 [bars + 1]: bar lines in ticks, the first at 0, the last where the piece ends.
    tempo : float32 [steps]: BPM of each eighth.
    chords : int16 [steps, 2]: mask and bass, see `harmony`.
    keys : int8 [steps].
    phrases : int32 [phrases]: where phrases of the melody begin; empty where that is unknown.
    flat : the velocities are a score's: the piece has to be performed.
    """

    name: str
    collection: str
    notes: np.ndarray
    bars: np.ndarray
    tempo: np.ndarray
    chords: np.ndarray
    keys: np.ndarray
    phrases: np.ndarray
    flat: bool


@dataclass(frozen=True)
class Track:
    """Notes of one MIDI track: float64 [notes, 4], onset and end in MIDI ticks, pitch, velocity."""

    name: str
    notes: np.ndarray
    pressed: np.ndarray  # the same with ends where keys go up, the pedal ignored


def read_track(track: mido.MidiTrack) -> Track:
    """Read every note of the 88 keys, lengthened to where the pedal releases it."""
    down: dict[int, list[tuple[int, int]]] = defaultdict(list)
    held: list[tuple[int, int, int]] = []
    rows: list[tuple[int, int, int, int]] = []
    pressed: list[tuple[int, int, int, int]] = []
    pedal, now = False, 0
    for m in track:
        now += m.time
        if m.type == "control_change" and m.control == SUSTAIN:
            if pedal and m.value < 64:
                rows += [(s, now, p, v) for s, p, v in held]
                held.clear()
            pedal = m.value >= 64
        elif m.type == "note_on" and m.velocity > 0:
            for h in [h for h in held if h[1] == m.note]:
                rows.append((h[0], now, h[1], h[2]))
                held.remove(h)
            down[m.note].append((now, m.velocity))
        elif m.type in ("note_off", "note_on") and down[m.note]:
            start, velocity = down[m.note].pop(0)
            pressed.append((start, now, m.note, velocity))
            if pedal:
                held.append((start, m.note, velocity))
            else:
                rows.append((start, now, m.note, velocity))
    rows += [(s, now, p, v) for s, p, v in held]
    return Track(getattr(track, "name", ""), _table(rows), _table(pressed))


def _table(rows: list[tuple[int, int, int, int]]) -> np.ndarray:
    kept = [r for r in rows if LOWEST <= r[2] <= HIGHEST and r[1] > r[0]]
    return np.array(sorted(kept), np.float64).reshape(-1, 4)


def quantised(onsets: np.ndarray, trust: float) -> np.ndarray:
    """Move onsets (in ticks of a 24th beat, not whole) to places that a token can express.

    One grid is chosen for each beat: sixteenths, triplets, thirty-seconds, or all of them. A finer
    grid has to fit better by its penalty, in squared ticks, over `trust`. `trust` is large for a
    score, where onsets are exact, and about 0.5 for a performance.
    """
    if not len(onsets):
        return onsets.astype(np.int64)
    beat = np.maximum(np.floor((onsets + 1.5) / BEAT).astype(int), 0)
    count = np.bincount(beat)
    moved, costs = [], []
    for spacing, penalty in _GRIDS:
        near = np.round(onsets / spacing) * spacing
        if spacing == 1:
            near = _nearest_place(onsets)
        error = np.bincount(beat, weights=(onsets - near) ** 2)
        costs.append(error / np.maximum(count, 1) + penalty / trust)
        moved.append(near)
    grid = np.argmin(costs, axis=0)[beat]
    return np.array(moved)[grid, np.arange(len(onsets))].astype(np.int64)


def _nearest_place(onsets: np.ndarray) -> np.ndarray:
    places = np.array(sorted({(p % TOKEN) for p in PLACES}))
    base = np.floor(onsets / TOKEN) * TOKEN
    candidates = base[:, None] + np.r_[places, TOKEN]
    best = np.abs(candidates - onsets[:, None]).argmin(1)
    return candidates[np.arange(len(onsets)), best]


def placed(track: Track, ticks_of, trust: float, part: int, pedal: bool = True) -> np.ndarray:
    """A track's notes on the grid: int64 [notes, 5]. `ticks_of` maps MIDI ticks to ours."""
    table = track.notes if pedal else track.pressed
    onsets = ticks_of(table[:, 0])
    ends = ticks_of(table[:, 1])
    at = quantised(onsets, trust)
    lengths = np.maximum(np.round(ends - onsets), 1).astype(np.int64)
    rows = np.stack([at, lengths, table[:, 2], table[:, 3], np.full(len(at), part)], axis=1)
    return rows.astype(np.int64)


def sounding_share(notes: np.ndarray, strings: int = _STUCK) -> float:
    """Share of the sounding time in which more than `strings` notes sound at once."""
    last = int((notes[:, 0] + notes[:, 1]).max()) + 2
    change = np.zeros(last + 1, int)
    np.add.at(change, notes[:, 0], 1)
    np.add.at(change, notes[:, 0] + notes[:, 1], -1)
    sounding = np.cumsum(change)
    return float((sounding > strings).sum() / max((sounding > 0).sum(), 1))


def merged(notes: np.ndarray) -> np.ndarray:
    """Order notes, keep the louder of two on one key in one token, cut strings struck again."""
    order = np.lexsort((-notes[:, 3], (notes[:, 0] + 3) // TOKEN, notes[:, 2]))
    notes = notes[order]
    token = (notes[:, 0] + 3) // TOKEN
    again = np.r_[False, (np.diff(notes[:, 2]) == 0) & (np.diff(token) == 0)]
    return cut_where_struck_again(notes[~again])


def cut_where_struck_again(notes: np.ndarray) -> np.ndarray:
    """End each note where its key is struck again. Returns notes in the order of onsets."""
    notes = notes[np.lexsort((notes[:, 0], notes[:, 2]))]
    same = np.flatnonzero(notes[1:, 2] == notes[:-1, 2])
    until = np.maximum(notes[same + 1, 0] - notes[same, 0], 1)
    notes[same, 1] = np.minimum(notes[same, 1], until)
    return notes[np.lexsort((notes[:, 2], notes[:, 0]))]


def phrases_of(melody: np.ndarray) -> np.ndarray:
    """Where phrases begin: after a rest of a beat or a note of three, 8 beats apart at least."""
    if len(melody) < 8:
        return np.zeros(0, np.int64)
    starts = [int(melody[0, 0])]
    ends = np.maximum.accumulate(melody[:, 0] + melody[:, 1])
    for i in range(1, len(melody)):
        onset = int(melody[i, 0])
        rest = onset - ends[i - 1] >= BEAT or onset - melody[i - 1, 0] >= 3 * BEAT
        if rest and onset - starts[-1] >= 8 * BEAT:
            starts.append(onset)
    return np.array(starts) // STEP * STEP


def without_rests(work: Work) -> Work:
    """Cut bars in which nothing sounds, but for one in a row, and all before the first note."""
    notes, bars = work.notes, work.bars
    sounds = np.zeros(len(bars) - 1, bool)
    first = np.searchsorted(bars, notes[:, 0], "right") - 1
    ends = np.minimum(notes[:, 0] + notes[:, 1], bars[-1]) - 1
    for a, b in set(
        zip(first.tolist(), (np.searchsorted(bars, ends, "right") - 1).tolist(), strict=True)
    ):
        sounds[a : b + 1] = True
    sounds[first] = True
    kept = sounds | np.r_[False, sounds[:-1]]
    kept[np.flatnonzero(sounds)[-1] + 1 :] = False
    length = np.diff(bars)
    begin = np.r_[0, np.cumsum(length * kept)]
    shift = bars[:-1] - begin[:-1]
    steps = np.concatenate(
        [
            np.arange(a // STEP, b // STEP)
            for a, b, k in zip(bars[:-1], bars[1:], kept, strict=True)
            if k
        ]
    )
    moved = notes.copy()
    moved[:, 0] -= shift[first]
    of_phrase = np.clip(np.searchsorted(bars, work.phrases, "right") - 1, 0, len(shift) - 1)
    return replace(
        work,
        notes=moved,
        bars=np.r_[0, np.cumsum(length[kept])],
        tempo=work.tempo[steps],
        chords=work.chords[steps],
        keys=work.keys[steps],
        phrases=work.phrases - shift[of_phrase],
    )


def _finished(
    name: str,
    collection: str,
    notes: np.ndarray,
    bars: np.ndarray,
    tempo: np.ndarray,
    chords: np.ndarray | None,
    keys: np.ndarray | None,
) -> Work:
    steps = int(bars[-1]) // STEP
    notes = merged(notes[(notes[:, 0] >= 0) & (notes[:, 0] < bars[-1] - 3)])
    if len(notes) < 64:
        raise ValueError(f"{name}: fewer than 64 notes. Leave the file out.")
    if np.diff(bars).max() > LONGEST_BAR * TOKEN:
        raise ValueError(f"{name}: a bar of {np.diff(bars).max() / BEAT:g} beats; at most 12 fit")
    columns = notes[:, 0], notes[:, 1], notes[:, 2], steps, STEP
    if chords is None:
        chords = harmony.estimate_chords(*columns)
    if keys is None:
        keys = harmony.estimate_keys(harmony.chroma(*columns))
    work = Work(
        name, collection, notes, bars, tempo.astype(np.float32), chords, keys.astype(np.int8),
        phrases_of(notes[notes[:, 4] == MELODY]), len(np.unique(notes[:, 3])) <= 12,
    )  # fmt: skip
    return without_rests(work)


# ------------------------------------------------------------------------------ POP909


def read_pop909(folder: Path) -> Work:
    """Read one song of POP909: its MIDI, beats, chords and keys.

    Raises
    ------
    ValueError
        When a file cannot be read, or too many strings sound even without the pedal.
    """
    midi = _open(folder / f"{folder.name}.mid")
    beats = np.array(
        [[float(x) for x in line.split()[:2]] + [float(line.split()[2][:3])]
         for line in (folder / "beat_midi.txt").read_text().splitlines() if line.strip()]
    )  # fmt: skip
    times = beats[:, 0]
    if len(times) < 32 or np.diff(times).min() <= 0:
        raise ValueError(f"{folder}: beats that do not rise. Leave the song out.")
    down = np.flatnonzero(beats[:, 2] == 1)
    seconds = _seconds(midi)

    def ticks_of_seconds(s: np.ndarray) -> np.ndarray:
        after = len(times) - 1 + (s - times[-1]) / (times[-1] - times[-2])
        at = np.where(s > times[-1], after, np.interp(s, times, np.arange(len(times))))
        at = np.where(s < times[0], (s - times[0]) / (times[1] - times[0]), at)
        return (at - down[0]) * BEAT

    def read(pedal: bool) -> np.ndarray:
        parts = {"MELODY": MELODY, "BRIDGE": BRIDGE, "PIANO": PIANO}
        tracks = [read_track(t) for t in midi.tracks]
        placed_tracks = [
            placed(t, lambda x: ticks_of_seconds(seconds(x)), 0.5, parts[t.name], pedal)
            for t in tracks
            if t.name in parts and len(t.notes)
        ]
        if not placed_tracks:
            raise ValueError(f"{folder}: no notes")
        return np.concatenate(placed_tracks)

    notes = read(pedal=True)
    if sounding_share(merged(notes)) > _STUCK_SHARE:
        notes = read(pedal=False)
    if sounding_share(merged(notes)) > _STUCK_SHARE:
        raise ValueError(f"{folder}: more than {_STUCK} strings sound. Leave the song out.")
    bars = _bars_from((down - down[0]) * BEAT, int((notes[:, 0] + notes[:, 1]).max()))
    steps = int(bars[-1]) // STEP
    middle = np.arange(steps) * 0.5 + 0.25 + down[0]
    at = np.interp(middle, np.arange(len(times)), times)
    spacing = np.gradient(times)
    tempo = 60 / np.interp(middle, np.arange(len(times)), spacing)
    chords = np.full((steps, 2), harmony.UNKNOWN, np.int16)
    keys = np.full(steps, harmony.UNKNOWN)
    for start, end, label in _labels(folder / "chord_midi.txt"):
        chords[(at >= start) & (at < end)] = harmony.parse_chord(label)
    for start, end, label in _labels(folder / "key_audio.txt"):
        keys[(at >= start) & (at < end)] = harmony.parse_key(label)
    return _finished(f"pop909/{folder.name}", "pop909", notes, bars, tempo, chords, keys)


def _labels(path: Path) -> list[tuple[float, float, str]]:
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(float(r[0]), float(r[1]), r[2]) for r in rows]


def _open(path: Path) -> mido.MidiFile:
    try:
        return mido.MidiFile(str(path), clip=True)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: not a readable MIDI file ({error})") from error


def _events(midi: mido.MidiFile, kind: str) -> list[tuple[int, Any]]:
    """Meta messages of a kind with their times in MIDI ticks, in order."""
    found = []
    for track in midi.tracks:
        now = 0
        for m in track:
            now += m.time
            if m.type == kind:
                found.append((now, m))
    return sorted(found, key=lambda e: e[0])


def _seconds(midi: mido.MidiFile):
    """A function from MIDI ticks to seconds."""
    changes = [(0, 500_000), *((t, m.tempo) for t, m in _events(midi, "set_tempo"))]
    ticks = np.array([t for t, _ in changes], float)
    rate = np.array([tempo / 1e6 / midi.ticks_per_beat for _, tempo in changes])
    begin = np.r_[0, np.cumsum(np.diff(ticks) * rate[:-1])]

    def seconds(x: np.ndarray) -> np.ndarray:
        i = np.searchsorted(ticks, x, "right") - 1
        return begin[i] + (x - ticks[i]) * rate[i]

    return seconds


def _bars_from(lines: np.ndarray, end: int) -> np.ndarray:
    """Bar lines continued to where the last note ends, at most two bars on, by the last length."""
    bar = int(lines[-1] - lines[-2]) if len(lines) > 1 else 4 * BEAT
    more = max(1, min(3, -(-(end - int(lines[-1])) // bar)))
    return np.r_[lines, lines[-1] + bar * np.arange(1, more + 1)].astype(np.int64)


# ------------------------------------------------------------------------------ scores


def read_score(path: Path, collection: str, voice: bool) -> Work:
    """Read a score with its beats and metres in MIDI ticks.

    Parameters
    ----------
    voice : whether the first track is a singer's and the others are the piano's.

    Raises
    ------
    ValueError
        When the file cannot be read or is no piano piece on a grid.
    """
    midi = _open(path)
    scale = BEAT / midi.ticks_per_beat
    tracks = [t for t in (read_track(t) for t in midi.tracks) if len(t.pressed)]
    if voice and len(tracks) < 2:
        raise ValueError(f"{path}: no voice and piano. Leave the file out.")
    parts = [MELODY if voice and len(tracks) > 2 and i < len(tracks) - 2 else PIANO
             for i in range(len(tracks))]  # fmt: skip
    notes = np.concatenate(
        [placed(t, lambda x: x * scale, 10.0, part, pedal=False)
         for t, part in zip(tracks, parts, strict=True)]
    )  # fmt: skip
    on_grid = np.concatenate([t.pressed[:, 0] for t in tracks]) * scale
    off = np.abs(on_grid - _nearest_place(on_grid)) > 0.6
    if off.mean() > 0.2:
        raise ValueError(f"{path}: {off.mean():.0%} of the onsets lie off the grid")
    if sounding_share(merged(notes)) > _STUCK_SHARE:
        raise ValueError(f"{path}: more than {_STUCK} strings sound. Leave the file out.")
    end = int((notes[:, 0] + notes[:, 1]).max())
    bars = _bars_of_metres(midi, scale, end, notes)
    notes[:, 0] -= bars[0]
    bars -= bars[0]
    steps = int(bars[-1]) // STEP
    changes = [(0, 500_000), *((round(t * scale), m.tempo) for t, m in _events(midi, "set_tempo"))]
    at = np.searchsorted([t for t, _ in changes], np.arange(steps) * STEP, "right") - 1
    tempo = np.array([60e6 / tempo for _, tempo in changes])[at]
    return _finished(f"{collection}/{path.stem}", collection, notes, bars, tempo, None, None)


def _bars_of_metres(midi: mido.MidiFile, scale: float, end: int, notes: np.ndarray) -> np.ndarray:
    """Bar lines from the time signatures; an upbeat at the start is found from the notes."""
    metres: dict[int, int] = {0: 4 * BEAT}
    for t, m in _events(midi, "time_signature"):
        metres[round(t * scale / STEP) * STEP] = m.numerator * 4 * BEAT // m.denominator
    if any(bar % STEP for bar in metres.values()):
        raise ValueError("a bar that is no whole number of eighths")
    times = sorted(metres)
    bar = metres[times[0]]
    until = times[1] if len(times) > 1 else end
    early = notes[notes[:, 0] < until]
    upbeat = 0
    if len(early) > 32 and (early[:, 4] == PIANO).any():
        columns = early[early[:, 4] == PIANO]
        upbeat = harmony.bar_phase(columns[:, 0], columns[:, 1], columns[:, 2], bar, STEP)
    lines, now = [upbeat - bar if upbeat else 0], upbeat
    while now < end:
        if now > lines[-1]:
            lines.append(now)
        bar = metres[max(t for t in times if t <= now)]
        following = [t for t in times if t > now]
        now = min([now + bar, *following[:1]])
    lines.append(now)
    return np.array(lines)
