"""Build a dataset: `python -m training.data.build --kit FOLDER --out data/piano`.

A dataset is a folder: `train.npy` and `held.npy`, int16 [samples] mono, all pieces one after
another; `notes.npy`, float32 [notes, 4] (pitch, velocity, start, end in seconds from the piece's
first sample) of all pieces one after another; and `index.json` with the rate, and for each piece
its name, split, offset and length in samples. A piece from MIDI also has `notes_offset`,
`notes_count`, `instrument` (0 the first kit, 1 the second), `room` (0..1) and `brightness` (-1..1).
The split is by work: all versions of one file fall on one side. `--workers` processes render; the
same seed renders the same pieces.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from training.data import room
from training.data.kit import Kit
from training.data.notes import is_flat, perform, read_midi, vary, without_gaps

HELD_OUT = 0.08  # share of the works
LONGEST = 300.0  # seconds taken of one piece
# The gain of a kit's samples, the same for every piece, so that soft pieces stay soft. Chosen for a
# median of -24 dBFS RMS in the sounding seconds of the first minutes of 45 pieces. Over 384 whole
# pieces it is -23.0 (a tenth under -25.9, a tenth over -20.6), and 3 % of them have peaks that
# `below_full_scale` bends.
GAIN = 0.545
SECOND = 0.3  # share of the pieces on the second kit
_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"}
_kits: list[Kit] = []  # of each process, filled by the pool's initialiser


@dataclass(frozen=True)
class Job:
    """One piece to render: its source, its split and the seed of its variation."""

    path: str
    name: str
    split: str
    seed: int
    rate: int


def held_out(name: str) -> bool:
    """Whether a work belongs to the held-out side; depends on its name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < HELD_OUT


Rendered = tuple[Job, np.ndarray, np.ndarray | None, dict[str, Any]]


def render(job: Job) -> Rendered | None:
    """Render one piece, or return None when the source cannot be read.

    Returns
    -------
    job, samples (int16 [samples]), notes (float32 [notes, 4], None for a recording), and the fields
    of its variation in the index
    """
    rng = np.random.default_rng(job.seed)
    path = Path(job.path)
    if path.suffix.lower() in _AUDIO:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        x = soxr.resample(audio.mean(axis=1), rate, job.rate)
        x = room.levelled(x, job.rate)
        return job, _int16(x), None, {"source": "audio"}
    try:
        notes = without_gaps(read_midi(path))
    except ValueError as error:
        print(error, file=sys.stderr)
        return None
    if is_flat(notes):
        notes = perform(notes, rng)
    training = job.split == "train"
    varied = {
        "source": "midi",
        "instrument": int(rng.random() < SECOND) if len(_kits) > 1 else 0,
        "room": round(float(rng.random()), 3),
        "brightness": round(float(rng.uniform(-1, 1)), 3),
        "transpose": int(rng.integers(-3, 4)) if training else 0,
        "tempo": float(rng.uniform(0.9, 1.1)) if training else 1.0,
        "curve": float(rng.uniform(0.85, 1.2)) if training else 1.0,
    }
    notes = vary(
        notes, rng, transpose=varied["transpose"], tempo=varied["tempo"], curve=varied["curve"]
    )
    notes = [n for n in notes if n.start < LONGEST]
    x = _kits[varied["instrument"]].render(notes)[: int(LONGEST * job.rate)] * np.float32(GAIN)
    x = room.in_a_room(x, job.rate, varied["room"], rng)
    x = room.below_full_scale(room.toned(x, job.rate, varied["brightness"], rng))
    table = np.array([(n.pitch, n.velocity, n.start, n.end) for n in notes], np.float32)
    return job, _int16(x), table, varied


def _int16(x: np.ndarray) -> np.ndarray:
    return np.round(np.clip(x, -1, 1) * 32767).astype(np.int16)


def _open_kits(folders: list[str], rate: int) -> None:
    _kits.clear()
    for folder in folders:  # all as loud as the first at equal velocity
        _kits.append(Kit(Path(folder), rate, _kits[0].loudness if _kits else None))


def _sources(arguments: argparse.Namespace, work: Path) -> tuple[list[str], dict[str, list[Path]]]:
    """Kit folders and the files to render, by collection."""
    collections: dict[str, list[Path]] = {}
    kits: list[str] = []
    if arguments.kit:
        kit = Path(arguments.kit)
        for archive in sorted((kit / "midi").glob("*.tar.xz")):
            name = archive.name.split(".")[0]
            with tarfile.open(archive) as tar:
                tar.extractall(work / name, filter="data")
            collections[name] = sorted((work / name).rglob("*.mid*"))
        kits = [str(f) for f in sorted(kit.iterdir()) if f.is_dir() and any(f.glob("*[0-9]v*.ogg"))]
    if arguments.audio:
        files = [p for p in Path(arguments.audio).rglob("*") if p.suffix.lower() in _AUDIO]
        collections["audio"] = sorted(files)
    if not any(collections.values()):
        sys.exit("Nothing to render. Use --kit FOLDER (with midi/*.tar.xz) or --audio FOLDER.")
    return kits, collections


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and build the dataset."""
    parser = argparse.ArgumentParser(prog="python -m training.data.build", description=__doc__)
    parser.add_argument("--kit", help="folder of a sampled piano kit with MIDI archives")
    parser.add_argument("--audio", help="folder of recordings, searched recursively")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--rate", type=int, default=16000, help="samples per second")
    parser.add_argument("--hours", type=float, default=16.0, help="about how much sound to render")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        kits, collections = _sources(options, Path(work))
        _build(options, kits, collections)


def _jobs(arguments: argparse.Namespace, collections: dict[str, list[Path]]) -> list[Job]:
    """Take the collections in turn, so that each weighs the same until it runs out of works."""
    rng = np.random.default_rng(arguments.seed)
    queues = {name: list(rng.permutation(len(files))) for name, files in collections.items()}
    passes = dict.fromkeys(collections, 0)
    jobs: list[Job] = []
    for turn in range(20000):
        name = list(collections)[turn % len(collections)]
        if not queues[name]:
            passes[name] += 1
            queues[name] = list(rng.permutation(len(collections[name])))
        path = collections[name][queues[name].pop()]
        split = "held" if held_out(path.stem) else "train"
        if passes[name] and split == "held":
            continue
        jobs.append(
            Job(
                str(path),
                f"{name}/{path.stem}",
                split,
                turn * 7919 + arguments.seed,
                arguments.rate,
            )
        )
    return jobs


def _build(
    arguments: argparse.Namespace, kits: list[str], collections: dict[str, list[Path]]
) -> None:
    pieces, lengths, notes = [], {"train": 0, "held": 0}, [np.zeros((0, 4), np.float32)]
    written = 0  # notes
    wanted = arguments.hours * 3600 * arguments.rate
    parts = {split: (arguments.out / f"{split}.raw").open("wb") for split in lengths}
    jobs = iter(_jobs(arguments, collections))
    with ProcessPoolExecutor(
        arguments.workers, initializer=_open_kits, initargs=(kits, arguments.rate)
    ) as pool:
        while sum(lengths.values()) < wanted:
            batch = [job for _, job in zip(range(4 * arguments.workers), jobs, strict=False)]
            if not batch:
                break
            for rendered in pool.map(render, batch):
                if rendered is None:
                    continue
                job, samples, table, how = rendered
                parts[job.split].write(samples.tobytes())
                if table is not None:
                    how |= {"notes_offset": written, "notes_count": len(table)}
                    notes.append(table)
                    written += len(table)
                pieces.append(
                    {
                        "name": job.name,
                        "split": job.split,
                        "offset": lengths[job.split],
                        "length": len(samples),
                        **how,
                    }
                )
                lengths[job.split] += len(samples)
            print(f"{sum(lengths.values()) / arguments.rate / 3600:.2f} h", flush=True)
    for split, part in parts.items():
        part.close()
        raw = np.memmap(part.name, np.int16, "r") if lengths[split] else np.zeros(0, np.int16)
        np.save(arguments.out / f"{split}.npy", raw)
        Path(part.name).unlink()
    np.save(arguments.out / "notes.npy", np.concatenate(notes))
    index = {"rate": arguments.rate, "seed": arguments.seed, "pieces": pieces}
    (arguments.out / "index.json").write_text(json.dumps(index, indent=1))


if __name__ == "__main__":
    main()
