"""Small songs for the tests of the beat grid: voice and piano over C, A minor, F and G seven."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import mido
import numpy as np
import pytest

from training.data import beats
from training.data.build import held_out

TICKS = 480  # of a beat
_CHORDS = ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2, 5))

Row = tuple[float, float, int, int]  # beat, beats, pitch, velocity


def song(beats_long: int, upbeat: int = 0, seed: int = 0) -> list[Row]:
    """A piano: the bass on each bar line, then a chord on each beat."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for bar in range((beats_long - upbeat) // 4):
        chord = _CHORDS[bar % 4]
        begin = upbeat + 4 * bar
        rows.append((begin, 4, 36 + chord[0], 60 + bar % 30))
        for beat in range(4):
            inverted = int(rng.integers(0, 2)) * 12
            rows += [(begin + beat, 1, 60 + c - inverted, 50 + (bar + c) % 30) for c in chord]
    return rows


def tune(beats_long: int, upbeat: int = 0, seed: int = 0) -> list[Row]:
    """A voice: a note of the chord on each beat, a rest at the end of every fourth bar."""
    rng = np.random.default_rng(seed + 100)
    rows: list[Row] = [(0, upbeat, 79, 90)] if upbeat else []
    for beat in range(beats_long - upbeat):
        if beat % 16 < 14:
            chord = _CHORDS[beat // 4 % 4]
            rows.append((upbeat + beat, 1, 72 + int(rng.choice(chord)), 90))
    return rows


def _track(rows: list[Row], name: str, velocity: int | None) -> mido.MidiTrack:
    events = []
    for beat, length, pitch, own in rows:
        loud = velocity or own
        events.append((round(beat * TICKS), 1, pitch, loud))
        events.append((round((beat + length) * TICKS), 0, pitch, 0))
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for tick, _, pitch, loud in sorted(events):
        track.append(mido.Message("note_on", note=pitch, velocity=loud, time=tick - now))
        now = tick
    return track


def _file(path: Path, tracks: list[mido.MidiTrack]) -> None:
    meta = mido.MidiTrack(
        [mido.MetaMessage("set_tempo", tempo=500_000),
         mido.MetaMessage("time_signature", numerator=4, denominator=4)]
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.extend([meta, *tracks])
    file.save(path)


def write_score(path: Path, voice: list[Row], piano: list[Row], up: int = 0) -> None:
    """A score of one velocity: voice, right hand, left hand."""
    moved = [[(b, n, p + up, v) for b, n, p, v in rows] for rows in (voice, piano)]
    right = [r for r in moved[1] if r[2] >= 48]
    left = [r for r in moved[1] if r[2] < 48]
    parts = (("Voice", moved[0]), ("Piano", right), ("Piano", left))
    _file(path, [_track(rows, name, 80) for name, rows in parts])


def _write_pop909(folder: Path, seed: int) -> None:
    voice, piano = tune(96, seed=seed), song(96, seed=seed)
    bridge = [(b + 0.5, 0.5, p - 12, 70) for b, _, p, _ in voice[::4]]
    parts = (("MELODY", voice), ("BRIDGE", bridge), ("PIANO", piano))
    _file(folder / f"{folder.name}.mid", [_track(rows, name, None) for name, rows in parts])
    lines = [f"{i / 2} {float(i % 2 == 0)} {float(i % 4 == 0)}" for i in range(100)]
    (folder / "beat_midi.txt").write_text("\n".join(lines))
    names = ("C:maj", "A:min", "F:maj", "G:7")
    chords = [f"{2 * b}\t{2 * b + 2}\t{names[b % 4]}" for b in range(25)]
    (folder / "chord_midi.txt").write_text("\n".join(chords))
    (folder / "key_audio.txt").write_text("0\t60\tC:maj\n")


def _names(prefix: str) -> list[str]:
    """Two works of the training side and one that is held out."""
    names = [f"{prefix}{i}" for i in range(200)]
    held = [n for n in names if held_out(n)]
    return [n for n in names if not held_out(n)][:2] + held[:1]


def write_kit(folder: Path) -> Path:
    """Build a data set from a kit of a few songs. Returns its folder."""
    source = folder / "source"
    for seed, name in enumerate(_names("")):
        _write_pop909(source / "pop909" / "full" / name, seed)
    lieder = source / "openscore-lieder" / "all"
    for seed, name in enumerate(_names("lc")):
        write_score(lieder / f"{name}.mid", tune(64, seed=9 + seed), song(64, seed=9 + seed))
    write_score(lieder / "z-copy.mid", tune(64, seed=9), song(64, seed=9), up=3)
    (folder / "scores").mkdir()
    for collection in sorted(source.iterdir()):
        with tarfile.open(folder / "scores" / f"{collection.name}.tar.xz", "w:xz") as tar:
            tar.add(collection, arcname=collection.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["beats", "--kit", str(folder), "--out", str(folder / "data"),
                          "--workers", "1"],
        )  # fmt: skip
        beats.main()
    return folder / "data"
