"""A small dataset for each recipe, built by the program that builds the real one."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from songs import write_kit

from training.data import build, rolls
from training.data.build import held_out

RATE = 8000  # of the tiny presets


def works(prefix: str, training: int) -> list[str]:
    """Names of one held-out work and of `training` others."""
    names = [f"{prefix}{i}" for i in range(60)]
    held = [name for name in names if held_out(name)]
    return held[:1] + [name for name in names if name not in held][:training]


# ---------------------------------------------------------------------- recordings


def recordings(folder: Path) -> Path:
    """Decaying chords, for the recipe `spectrogram`."""
    (folder / "audio").mkdir()
    rng = np.random.default_rng(0)
    t = np.arange(6 * RATE) / RATE
    for name in works("piece", 3):
        x = np.zeros_like(t)
        for start in np.arange(0, 6, 0.5):
            age = np.maximum(t - start, 0)
            for f in 110 * 2 ** (rng.integers(0, 36, 3) / 12):
                x += 0.1 * np.sin(2 * np.pi * f * age) * np.exp(-3 * age) * (t >= start)
        soundfile.write(folder / "audio" / f"{name}.wav", x, RATE)
    build.main(
        ["--audio", str(folder / "audio"), "--out", str(folder / "data"), "--rate", str(RATE),
         "--hours", "0.006", "--workers", "1"]
    )  # fmt: skip
    return folder / "data"


# ---------------------------------------------------------------------- a rendered kit


def _tone(pitch: int, level: float) -> np.ndarray:
    t = np.arange(32000) / 32000
    return level * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) * np.exp(-3 * t)


def kit_folder(
    folder: Path,
    layers: Sequence[str],
    level: Callable[[int], float] = lambda layer: 0.1 * layer / 3,
    ending: str = "wav",
) -> None:
    """A sampled piano of two roots, 20 ms of silence before each attack."""
    folder.mkdir(parents=True)
    for (letter, pitch), layer in itertools.product((("C4", 60), ("Fs5", 78)), layers):
        loud = level(int(layer) if layer.isdigit() else 3)
        x = np.concatenate([np.zeros(640), _tone(pitch, loud)])
        soundfile.write(folder / f"{letter}v{layer}.{ending}", x, 32000)


def _midi(path: Path, rows: Sequence[tuple[int, int]], length: int, rest: int) -> None:
    """Single notes (pitch, velocity), each of `length` ticks with a rest before it."""
    track = mido.MidiTrack()
    for pitch, velocity in rows:
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=rest))
        track.append(mido.Message("note_off", note=pitch, time=length))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)


def rendered(folder: Path) -> Path:
    """Two minutes of single notes with rests, softly and hard, for the recipe `sound`."""
    kit_folder(folder / "kit" / "grand", ("3", "12"), ending="ogg")
    (folder / "kit" / "midi").mkdir()
    with tarfile.open(folder / "kit" / "midi" / "works.tar.xz", "w:xz") as tar:
        for seed, name in enumerate(works("work", 2)):
            rng = np.random.default_rng(seed)
            rows = [(int(rng.integers(50, 90)), int(rng.integers(20, 120))) for _ in range(120)]
            _midi(folder / f"{name}.mid", rows, 480, 480)
            tar.add(folder / f"{name}.mid", f"{name}.mid")
    build.main(
        ["--kit", str(folder / "kit"), "--out", str(folder / "data"), "--rate", str(RATE),
         "--hours", "0.09", "--workers", "1"]
    )  # fmt: skip
    return folder / "data"


# ---------------------------------------------------------------------- notes


def piano_rolls(folder: Path) -> Path:
    """A minute of single notes within an octave, at few velocities, for the recipe `notes`."""
    (folder / "midi").mkdir()
    for seed, name in enumerate(works("work", 3)):
        rng = np.random.default_rng(seed)
        rows = [(int(rng.integers(60, 72)), int(rng.choice([40, 60, 90, 100]))) for _ in range(160)]
        _midi(folder / "midi" / f"{name}.mid", rows, 240, 120)
    (folder / "midi" / "broken.mid").write_bytes(b"MThd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sys.argv",
            ["rolls", "--midi", str(folder / "midi"), "--out", str(folder / "data"),
             "--workers", "1"],
        )  # fmt: skip
        rolls.main()
    return folder / "data"


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "spectrogram": recordings, "sound": rendered, "notes": piano_rolls, "beats": write_kit,
}  # fmt: skip
