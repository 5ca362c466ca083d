"""Rolls for the notes stage: `python -m training.data.rolls --kit FOLDER --out data/notes`.

A dataset is a folder: `notes.npy` float32 [n, 4] (pitch, velocity, start, end in seconds), all
pieces one after another, each in the order of its starts, and `index.json` with each piece's name,
collection, split (by work, as the rendered audio's), offset, count, seconds, and whether it is a
flat score that has to be performed. MIDI alone is needed: any folder of files does (`--midi`).

The conditions of an excerpt, [tokens, 109], are the same for every token of a block. A flag is 1
where the condition before it is set, 0 where it is free:

    0..11 harmony: how much each pitch class sounds in the block and the next, C first; 12 flag
    13 register: (mean pitch - 60) / 24 of the onsets; 14 flag
    15 density: log2(onsets per second + 0.5) / 3; 16 flag
    17 loudness: (mean velocity - 64) / 32; 18 flag
    19 style: -1 classical, 1 pop; 20 flag
    21..108 held: 1 for keys that sound through the block and are known beforehand
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from engine.notes.note import PITCHES, Note
from engine.representations.roll import encode
from training.data.build import held_out
from training.data.notes import is_flat, perform, read_midi, vary, without_gaps
from training.nets.notes import CONDITIONS

TOKEN = 2048 / 24000  # seconds
STYLES = {"pop909": 1.0}  # every other collection is classical
SHARES = {"giantmidi": 0.35, "nifc-chopin": 0.2, "pop909": 0.45}
AROUND = 24  # tokens over which register, density and loudness are taken
_LEAD_IN = 12.0  # seconds before an excerpt in which a note may begin and still sound


def density_value(onsets_a_second: np.ndarray | float) -> np.ndarray:
    """A density in the network's scale."""
    return np.log2(np.asarray(onsets_a_second) + 0.5) / 3


def conditions(roll: np.ndarray, style: float, block: int) -> np.ndarray:
    """All conditions of a roll [4, 88, tokens], none of them free. Returns [blocks, 109]."""
    tokens = roll.shape[2]
    blocks = tokens // block
    out = np.zeros((blocks, CONDITIONS), np.float32)
    struck = roll[0] > 0
    ends = roll[3] > 0
    count = struck.sum(0)
    pitch = (struck * np.arange(21, 21 + PITCHES)[:, None]).sum(0)
    velocity = (struck * (roll[0] - 0.5) * 127).sum(0)
    for b in range(blocks):
        near = slice(b * block, min((b + 2) * block, tokens))
        chroma = np.zeros(12)
        sounding = ends[:, near].sum(1) + 2 * struck[:, near].sum(1)
        np.add.at(chroma, np.arange(21, 21 + PITCHES) % 12, sounding)
        if chroma.max() > 0:
            out[b, :12], out[b, 12] = np.sqrt(chroma / chroma.max()), 1
        around = slice(b * block, min(b * block + AROUND, tokens))
        n = count[around].sum()
        seconds = (around.stop - around.start) * TOKEN
        out[b, 15], out[b, 16] = density_value(n / seconds), 1
        if n:
            out[b, 13], out[b, 14] = (pitch[around].sum() / n - 60) / 24, 1
            out[b, 17], out[b, 18] = (velocity[around].sum() / n - 64) / 32, 1
        own = slice(b * block, (b + 1) * block)
        out[b, 21:] = (roll[2:, :, own] > 0).mean(axis=(0, 2)) > 0.8
    out[:, 19], out[:, 20] = style, 1
    return out


def left_free(conditions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave conditions [blocks, 109] free at random, as a performer leaves controls free."""
    out = conditions.copy()
    free = rng.random() < 0.25
    for first, flag in ((0, 12), (13, 14), (15, 16), (17, 18), (19, 20)):
        kept = out[:, flag] * (rng.random() < 0.5) * (not free)
        out[:, first : flag + 1] *= kept[:, None]
    if rng.random() < 0.5:  # a performer chooses a pitch class or does not
        out[:, :12] = (out[:, :12] > 0.55) * (out[:, 12:13])
    kept = rng.random((len(out), PITCHES)) < rng.uniform(0, 1)
    out[:, 21:] *= kept * (rng.random((len(out), 1)) < 0.2) * (not free)
    return out


class Rolls:
    """Draws varied excerpts from one split of a dataset folder.

    Raises
    ------
    FileNotFoundError
        When the folder is no dataset.
    """

    def __init__(self, folder: Path, split: str, tokens: int, block: int) -> None:
        index = folder / "index.json"
        if not index.is_file():
            raise FileNotFoundError(
                f"{folder}: no index.json. Build a dataset with 'python -m training.data.rolls'."
            )
        self.tokens, self.block = tokens, block
        self.training = split == "train"
        self._notes = np.load(folder / "notes.npy", mmap_mode="r")
        pieces = [p for p in json.loads(index.read_text())["pieces"] if p["split"] == split]
        self._of: dict[str, list[dict]] = {}
        for p in pieces:
            if p["seconds"] > 1.3 * tokens * TOKEN:
                self._of.setdefault(p["collection"], []).append(p)
        if not self._of:
            raise FileNotFoundError(f"{folder}: no piece of split {split!r} is long enough")
        self._names = sorted(self._of)
        share = np.array([SHARES.get(name, 0.4) for name in self._names])
        self._share = share / share.sum()
        self._by_length = {
            name: np.array([p["seconds"] for p in of]) / sum(p["seconds"] for p in of)
            for name, of in self._of.items()
        }

    def excerpt(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """A roll [352, tokens] from a random place of a random work, and its style."""
        name = self._names[rng.choice(len(self._names), p=self._share)]
        piece = self._of[name][rng.choice(len(self._of[name]), p=self._by_length[name])]
        notes, start = self._cut(piece, rng)
        return encode(notes, start, self.tokens, TOKEN), STYLES.get(name, -1.0)

    def _cut(self, piece: dict, rng: np.random.Generator) -> tuple[list[Note], float]:
        of = self._notes[piece["offset"] : piece["offset"] + piece["count"]]
        tempo = rng.uniform(0.87, 1.15) if self.training else 1.0
        long = self.tokens * TOKEN * tempo
        # sometimes before the first note: a stream begins in silence
        start = rng.uniform(-0.5 * long if rng.random() < 0.15 else 0.0, piece["seconds"] - long)
        first, last = np.searchsorted(of[:, 2], (start - _LEAD_IN, start + long))
        notes = [Note(int(p), int(v), float(s), float(e)) for p, v, s, e in of[first:last]]
        if piece["flat"] and notes:
            notes = perform(notes, rng)
        if self.training:
            notes = vary(
                notes,
                rng,
                transpose=int(rng.integers(-6, 6)),
                tempo=tempo,
                curve=float(rng.uniform(0.8, 1.25)),
            )
            start /= tempo
        return notes, start

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, torch.Tensor]:
        """`roll` [size, tokens, 352] and `conditions` [size, tokens, 109], some left free."""
        rolls, rows = [], []
        for _ in range(size):
            roll, style = self.excerpt(rng)
            rolls.append(roll.T)
            all_set = conditions(roll.reshape(4, PITCHES, -1), style, self.block)
            rows.append(np.repeat(left_free(all_set, rng), self.block, axis=0))
        return {
            "roll": torch.from_numpy(np.stack(rolls)),
            "conditions": torch.from_numpy(np.stack(rows).astype(np.float32)),
        }


def _read(path: Path) -> tuple[np.ndarray, bool] | None:
    try:
        notes = without_gaps(read_midi(path))
    except ValueError as error:
        print(error, file=sys.stderr)
        return None
    rows = [(n.pitch, n.velocity, n.start, n.end) for n in notes]
    return np.array(rows, np.float32), is_flat(notes)


def main() -> None:
    """Parse the command line and build the dataset."""
    parser = argparse.ArgumentParser(prog="python -m training.data.rolls", description=__doc__)
    parser.add_argument("--kit", type=Path, help="folder with midi/*.tar.xz")
    parser.add_argument("--midi", type=Path, help="folder of MIDI files, searched recursively")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        files: list[tuple[str, Path]] = []
        for archive in sorted((arguments.kit / "midi").glob("*.tar.xz")) if arguments.kit else ():
            name = archive.name.split(".")[0]
            with tarfile.open(archive) as tar:
                tar.extractall(Path(work) / name, filter="data")
            files += [(name, p) for p in sorted((Path(work) / name).rglob("*.mid*"))]
        if arguments.midi:
            files += [("midi", p) for p in sorted(arguments.midi.rglob("*.mid*"))]
        if not files:
            sys.exit("Nothing to read. Use --kit FOLDER (with midi/*.tar.xz) or --midi FOLDER.")
        with ProcessPoolExecutor(arguments.workers) as pool:
            read = list(pool.map(_read, [p for _, p in files], chunksize=8))
    pieces, arrays, offset = [], [], 0
    for (name, path), found in zip(files, read, strict=True):
        if found is None:
            continue
        notes, flat = found
        split = "held" if held_out(path.stem) else "train"
        pieces.append(
            {
                "name": f"{name}/{path.stem}",
                "collection": name,
                "split": split,
                "offset": offset,
                "count": len(notes),
                "seconds": float(notes[:, 3].max()),
                "flat": flat,
            }
        )
        arrays.append(notes)
        offset += len(notes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.save(arguments.out / "notes.npy", np.concatenate(arrays))
    (arguments.out / "index.json").write_text(json.dumps({"pieces": pieces}, indent=1))
    hours = sum(p["seconds"] for p in pieces) / 3600
    print(f"{len(pieces)} pieces, {hours:.1f} h, {offset} notes")


if __name__ == "__main__":
    main()
