"""MIDI files as lists of notes with the sustain pedal applied. Times in seconds."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np

from engine.notes.note import Note

LOWEST, HIGHEST = 21, 108  # A0 and C8, the 88 keys
SUSTAIN = 64  # controller number of the sustain pedal


def read_midi(path: Path) -> list[Note]:
    """Read every note of a file, lengthened to where the pedal is released.

    Raises
    ------
    ValueError
        When mido cannot read the file, or it holds no note of the 88 keys.
    """
    try:
        midi = mido.MidiFile(str(path), clip=True)
        messages = list(midi)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: not a readable MIDI file ({error})") from error
    notes: list[Note] = []
    down: dict[int, list[tuple[float, int]]] = defaultdict(list)
    held: list[tuple[int, int, float]] = []  # keys released while the pedal is down
    pedal = False
    now = 0.0
    for message in messages:
        now += message.time
        if message.type == "control_change" and message.control == SUSTAIN:
            if pedal and message.value < 64:
                notes += [Note(p, v, s, now) for p, v, s in held]
                held.clear()
            pedal = message.value >= 64
        elif message.type == "note_on" and message.velocity > 0:
            for pitch, velocity, start in [h for h in held if h[0] == message.note]:
                notes.append(Note(pitch, velocity, start, now))
                held.remove((pitch, velocity, start))
            down[message.note].append((now, message.velocity))
        elif message.type in ("note_off", "note_on") and down[message.note]:
            start, velocity = down[message.note].pop(0)
            if pedal:
                held.append((message.note, velocity, start))
            else:
                notes.append(Note(message.note, velocity, start, now))
    notes += [Note(p, v, s, now) for p, v, s in held]
    notes = [n for n in notes if LOWEST <= n.pitch <= HIGHEST and n.end > n.start]
    if not notes:
        raise ValueError(f"{path}: no notes between A0 and C8. Leave the file out.")
    return sorted(notes, key=lambda n: (n.start, n.pitch))


def without_gaps(notes: list[Note], longest: float = 1.5) -> list[Note]:
    """Shorten stretches in which nothing sounds to `longest` seconds."""
    kept, shift, sounding_until = [], notes[0].start, notes[0].start
    for note in notes:
        gap = note.start - sounding_until
        if gap > longest:
            shift += gap - longest
        sounding_until = max(sounding_until, note.end)
        kept.append(replace(note, start=note.start - shift, end=note.end - shift))
    return kept


def vary(
    notes: list[Note], rng: np.random.Generator, *, transpose: int, tempo: float, curve: float
) -> list[Note]:
    """Transpose a whole work, stretch its time and bend its velocities (exponent `curve`)."""
    out = []
    for n in notes:
        pitch = n.pitch + transpose
        if not LOWEST <= pitch <= HIGHEST:
            continue
        velocity = int(np.clip(round(127 * (n.velocity / 127) ** curve + rng.normal(0, 2)), 1, 127))
        out.append(Note(pitch, velocity, n.start / tempo, n.end / tempo))
    return out


def is_flat(notes: list[Note]) -> bool:
    """Whether a file is a score rather than a performance (at most three velocities)."""
    return len({n.velocity for n in notes}) <= 3


def perform(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    """Add dynamics (slow waves, melody over accompaniment) and human timing to a flat score.

    A score has one velocity and a grid; without this a model sounds like a music box.
    """
    period, phase = rng.uniform(6, 14, 2), rng.uniform(0, 2 * math.pi, 2)
    level = rng.uniform(48, 78)
    tops: dict[int, int] = {}
    for n in notes:
        slot = round(n.start * 20)
        tops[slot] = max(tops.get(slot, 0), n.pitch)
    out = []
    for n in notes:
        wave = sum(
            math.sin(2 * math.pi * n.start / p + f) for p, f in zip(period, phase, strict=True)
        )
        melody = 12 if n.pitch == tops[round(n.start * 20)] else 0
        velocity = level + 9 * wave + melody + rng.normal(0, 4)
        start = n.start + rng.normal(0, 0.010)
        length = (n.end - n.start) * rng.uniform(0.9, 1.25)
        start = max(0.0, start)
        out.append(Note(n.pitch, int(np.clip(velocity, 12, 120)), start, start + length))
    return sorted(out, key=lambda n: n.start)
