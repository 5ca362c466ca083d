"""Music on beats: `python -m training.data.beats --kit FOLDER --out data/beats`.

A dataset is a folder: `beats.npz` holds the columns of all works one after another, `index.json`
each work's name, collection, split (by work, a hash of the name), counts and whether it is a flat
score. `Beats` draws excerpts from it: transposed, at another tempo, performed where they are flat,
with the conditions that describe them and a past that is damaged as a stream's own past is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.data import cells as grid
from training.data import conditions as on
from training.data import harmony
from training.data.build import held_out
from training.data.notes import HIGHEST, LOWEST
from training.data.scores import (
    BEAT,
    MELODY,
    PIANO,
    STEP,
    TOKEN,
    Work,
    cut_where_struck_again,
    read_pop909,
    read_score,
    without_rests,
)

STYLE_OF = {"pop909": "pop", "openscore-lieder": "song"}  # every other collection is solo
SHARES = {"pop909": 0.45, "openscore-lieder": 0.35, "nifc-chopin": 0.2}
COLUMNS = ("notes", "bars", "tempo", "chords", "keys", "phrases")
_CARRY = 18 * BEAT  # ticks before an excerpt in which a note may begin and still sound
_PEDALLED = 0.6  # share of the scores that are played with pedal
_LONGEST = 800 * BEAT  # a longer work is drawn no more often
_FEWEST = 8  # onsets of an excerpt
_PARTS = {"pop": (0.75, 0.2, 0.05), "song": (0.7, 0.25, 0.05), "solo": (1.0, 0.0, 0.0)}

Batch = dict[str, torch.Tensor]


# ------------------------------------------------------------------------------ variations


def performed(notes: np.ndarray, bars: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add dynamics to a flat score: slow waves, melody over accompaniment, weight on bar lines.

    Lengths are shortened a little, as fingers leave keys. Notes are [notes, 5] on the grid.
    """
    notes = notes.copy()
    beats = notes[:, 0] / BEAT
    period, phase = rng.uniform(8, 28, 2), rng.uniform(0, 2 * np.pi, 2)
    wave = np.sin(2 * np.pi * beats[:, None] / period + phase).sum(1)
    token = notes[:, 0] // TOKEN
    top = np.zeros(int(token.max(initial=0)) + 1, np.int64)
    np.maximum.at(top, token, notes[:, 2])
    melody = (notes[:, 4] == MELODY) if (notes[:, 4] == MELODY).any() else notes[:, 2] == top[token]
    first = np.isin(notes[:, 0], bars)
    velocity = rng.uniform(50, 76) + rng.uniform(5, 10) * wave + rng.uniform(8, 17) * melody
    velocity += rng.uniform(0, 6) * first + rng.normal(0, 3.5, len(notes))
    notes[:, 3] = np.clip(np.round(velocity), 12, 120)
    notes[:, 1] = np.maximum(np.round(notes[:, 1] * rng.uniform(0.85, 1.0)), 1)
    return notes


def pedalled(notes: np.ndarray, chords: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """Lengthen the notes of each chord to where it or the bar ends, as a pedal does.

    Notes beside the chord and high ones keep their lengths, so that nothing clashes.
    """
    notes = notes.copy()
    step = np.clip(notes[:, 0] // STEP, 0, len(chords) - 1)
    changes = (np.flatnonzero((np.diff(chords, axis=0) != 0).any(axis=1)) + 1) * STEP
    lines = np.unique(np.r_[changes, bars])
    until = lines[np.minimum(np.searchsorted(lines, notes[:, 0], "right"), len(lines) - 1)]
    masks = chords[step, 0].astype(int)
    within = (masks >= 0) & ((masks >> notes[:, 2] % 12) & 1 == 1) & (notes[:, 2] < 80)
    longer = np.maximum(notes[:, 1], until - notes[:, 0])
    notes[:, 1] = np.where(within, longer, notes[:, 1])
    return cut_where_struck_again(notes)


def transposed(work: Work, by: int) -> Work:
    """All of a work moved by semitones, chords and keys along; notes beyond the keyboard go."""
    notes = work.notes.copy()
    notes[:, 2] += by
    notes = notes[(notes[:, 2] >= LOWEST) & (notes[:, 2] <= HIGHEST)]
    chords = work.chords.astype(int).copy()
    chords[:, 0] = harmony.transposed_mask(chords[:, 0], by)
    chords[:, 1] = np.where(chords[:, 1] < 0, -1, (chords[:, 1] + by) % 12)
    keys = work.keys.astype(int)
    keys = np.where(keys < 0, -1, (keys + by) % 12 + 12 * (keys >= 12))
    return replace(work, notes=notes, chords=chords, keys=keys)


def damaged(
    cells: np.ndarray, other: np.ndarray, until: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A past with the errors of a stream: notes missing, and notes of other music.

    Without this a stream runs away or thins out, because its own errors become its past.

    Parameters
    ----------
    cells, other : [tokens, 4, 88], the excerpt and another one.
    until : see `cells.sounding`.
    """
    past = cells.copy()
    tokens = len(past)
    struck = past[:, grid.ONSET] > 0
    lost = struck & (rng.random(struck.shape) < 0.04 * rng.random())
    if rng.random() < 0.15:
        for span in _spans(tokens, rng):
            lost[span] |= struck[span] & (rng.random(struck[span].shape) < 0.6)
    past[:, grid.ONSET][lost] = -1
    past[:, grid.PLACE : grid.SOUNDING].transpose(0, 2, 1)[lost] = 0
    if rng.random() < 0.2:
        for span in _spans(tokens, rng):
            added = other[span, grid.ONSET] > 0
            for row in range(grid.DIFFUSED):
                past[span, row] = np.where(added, other[span, row], past[span, row])
    past[:, grid.SOUNDING], _ = grid.sounding(past, until)
    return past


def _spans(tokens: int, rng: np.random.Generator) -> list[slice]:
    """Two spans of 2 to 12 beats."""
    begins = rng.integers(0, tokens - 8, 2)
    return [slice(int(b), int(b + 4 * rng.integers(2, 13))) for b in begins]


def known_ahead(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cells that the network sees clean before they are played: [tokens, 4, 88].

    Rows: 1 where a cell is known, else 0; then onset, place and length where it is, else 0. Whole
    beats, whole tokens on beats (chords), a share of the notes, or the highest notes.
    """
    tokens = len(cells)
    struck = cells[:, grid.ONSET] > 0
    known = np.zeros(struck.shape, bool)
    kind = rng.integers(0, 4)
    if kind == 0:
        for _ in range(rng.integers(1, 4)):
            begin = 4 * rng.integers(0, tokens // 4)
            known[begin : begin + 4 * rng.integers(1, 9)] = True
    elif kind == 1:
        known[4 * rng.integers(0, tokens // 4, rng.integers(1, 8))] = True
    else:
        begin = 4 * rng.integers(0, tokens // 4)
        span = slice(begin, begin + 4 * rng.integers(8, 65))
        if kind == 2:
            known[span] = struck[span] & (rng.random(struck[span].shape) < rng.uniform(0.1, 0.6))
        else:
            top = np.where(struck, np.arange(grid.KEYS), -1).max(1, keepdims=True)
            known[span] = (struck & (np.arange(grid.KEYS) == top))[span]
    shown = np.where(known[:, None], cells[:, : grid.DIFFUSED], 0)
    return np.concatenate([known[:, None], shown], axis=1).astype(np.float32)


# ------------------------------------------------------------------------------ excerpts


class Beats:
    """Draws excerpts from one split of a dataset folder.

    Raises
    ------
    FileNotFoundError
        When the folder is no dataset.
    """

    def __init__(self, folder: Path, split: str, tokens: int) -> None:
        if not (folder / "beats.npz").is_file():
            raise FileNotFoundError(
                f"{folder}: no beats.npz. Build a dataset with 'python -m training.data.beats'."
            )
        self.tokens, self.training = tokens, split == "train"
        index = json.loads((folder / "index.json").read_text())["works"]
        with np.load(folder / "beats.npz") as file:
            columns = {name: file[name] for name in COLUMNS}
        self.works: dict[str, list[Work]] = {}
        at = dict.fromkeys(COLUMNS, 0)
        for entry in index:
            parts = {}
            for name in COLUMNS:
                parts[name] = columns[name][at[name] : at[name] + entry["counts"][name]]
                at[name] += entry["counts"][name]
            if entry["split"] == split:
                work = Work(entry["name"], entry["collection"], flat=entry["flat"], **parts)
                self.works.setdefault(entry["collection"], []).append(work)
        if not self.works:
            raise FileNotFoundError(f"{folder}: no work of split {split!r}")
        self._names = sorted(self.works)
        share = np.array([SHARES.get(name, 0.4) for name in self._names])
        self._share = share / share.sum()
        self._by_length = {
            name: (length := np.minimum([w.bars[-1] for w in of], _LONGEST)) / length.sum()
            for name, of in self.works.items()
        }

    def work(self, rng: np.random.Generator) -> Work:
        """A random work, longer ones more often, collections by their shares."""
        name = self._names[rng.choice(len(self._names), p=self._share)]
        return self.works[name][rng.choice(len(self.works[name]), p=self._by_length[name])]

    def varied(self, work: Work, rng: np.random.Generator) -> tuple[Work, str]:
        """A work as it is played this time, and which part of it: one of `conditions.PARTS`."""
        style = STYLE_OF.get(work.collection, "solo")
        part = on.PARTS[rng.choice(3, p=_PARTS[style])]
        wanted = {"all": None, "accompaniment": PIANO, "melody": MELODY}[part]
        if wanted is not None and (work.notes[:, 4] == wanted).sum() >= 64:
            work = without_rests(replace(work, notes=work.notes[work.notes[:, 4] == wanted]))
        else:
            part = "all"
        notes = work.notes.astype(np.int64)
        if work.flat:
            notes = performed(notes, work.bars, rng)
            if rng.random() < _PEDALLED:
                notes = pedalled(notes, work.chords, work.bars)
        elif self.training:
            bent = 127 * (notes[:, 3] / 127) ** rng.uniform(0.8, 1.25) + rng.normal(
                0, 2, len(notes)
            )
            notes[:, 3] = np.clip(np.round(bent), 1, 127)
        tempo = work.tempo * (
            np.exp(np.clip(rng.normal(0, 0.15), -0.35, 0.35)) if self.training else 1
        )
        work = replace(work, notes=notes, tempo=np.clip(tempo, 20, 300))
        return transposed(work, int(rng.integers(-6, 6)) if self.training else 0), part

    def _start(self, work: Work, rng: np.random.Generator) -> int:
        """A bar line to begin from, -1 bar for the silence before the piece."""
        bars, span = work.bars, self.tokens * TOKEN
        kind = rng.random()
        first = int(bars[1] - bars[0])
        if kind < 0.04:
            return -first
        if kind < 0.12 or bars[-1] <= span:
            return 0
        last = int(bars[-1]) - span
        if kind < 0.27:  # the end lies within
            last += span // 2
            return int(
                bars[max(0, np.searchsorted(bars, rng.integers(last - span // 2, last)) - 1)]
            )
        return int(bars[np.searchsorted(bars, rng.integers(0, last + 1), "right") - 1])

    def excerpt(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """One excerpt: `cells`, `until`, `when`, `bar`, `conditions`, the last with all known.

        `kept` names the conditions that must not be left free: if music ended, or were a melody
        alone, without the condition for it, a stream would learn to stop.
        """
        while True:
            work, part = self.varied(self.work(rng), rng)
            drawn = self.described(work, part, self._start(work, rng), self.tokens, rng)
            if (drawn["cells"][:, grid.ONSET] > 0).sum() >= _FEWEST:
                return drawn

    def described(
        self, work: Work, part: str, start: int, n: int, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """`n` tokens of a work from the bar line at tick `start`, see `excerpt`."""
        end = int(work.bars[-1])
        onsets = work.notes[:, 0]
        first, last = np.searchsorted(onsets, (start - _CARRY, start + n * TOKEN))
        notes = work.notes[first:last]
        cells = grid.encode(notes, start, n)
        bars = work.bars
        bars = np.r_[bars[0] - (bars[1] - bars[0]), bars]
        bars = np.r_[bars, bars[-1] + (bars[-1] - bars[-2]) * np.arange(1, 2 + n // 4)]
        step = np.clip((start + np.arange(n) * TOKEN) // STEP, 0, len(work.tempo) - 1)
        tempo = work.tempo[step]
        when, bar = on.when(bars, start, n, tempo)
        blocks = n // on.BLOCK
        at = start + np.arange(blocks + on.HORIZON) * BEAT
        inside = (at >= 0) & (at < end)
        step = np.clip(at // STEP, 0, len(work.chords) - 1)
        chords = np.where(inside[:, None], work.chords[step], harmony.UNKNOWN)
        own, left = at[:blocks], (end - at[:blocks]) / BEAT
        rows = {
            "chord": on.ahead(on.chord_rows(chords), blocks),
            "key": on.key_rows(np.where(inside, work.keys[step], -1)[:blocks]),
            "style": np.eye(3)[on.STYLES.index(STYLE_OF.get(work.collection, "solo"))],
            "part": np.eye(3)[on.PARTS.index(part)],
            "phrase": on.phrase_rows(work.phrases, own),
            "ending": on.ending_rows(left),
            **on.measured(cells, bar, tempo),
        }
        kept = ["part"] if part == "melody" else []
        if left[-1] < 4:
            kept.append("ending")
            if rng.random() < 0.7:  # the end is requested some beats before it
                rows["ending"] = rows["ending"] * (left < rng.uniform(4, 64))[:, None]
        return {
            "cells": cells, "until": grid.carried(notes, start), "when": when, "bar": bar,
            "conditions": on.joined(rows, blocks), "kept": np.array(kept, dtype=str),
        }  # fmt: skip

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Tensors of `size` excerpts.

        cells [size, tokens, 3, 88], past [size, tokens, 4, 88] (damaged), when [size, tokens, 50],
        bar [size, tokens], conditions [size, blocks, WIDTH] (some left free), echo [size, 3] (0
        where a lag of the echo is silenced), and in three batches of ten known [size, tokens, 4,
        88], see `known_ahead`.
        """
        drawn = [self.excerpt(rng) for _ in range(size)]
        out: dict[str, list[np.ndarray]] = {}
        shown = rng.random() < 0.3
        for i, e in enumerate(drawn):
            past = damaged(e["cells"], drawn[i - 1]["cells"], e["until"], rng)
            free = on.left_free(e["conditions"], rng, tuple(e["kept"]))
            row = {
                "cells": e["cells"][:, : grid.DIFFUSED], "past": past, "when": e["when"],
                "bar": e["bar"], "conditions": free,
                "echo": (rng.random(3) >= 0.15).astype(np.float32),
            }  # fmt: skip
            if shown:
                row["known"] = known_ahead(e["cells"], rng)
            for name, value in row.items():
                out.setdefault(name, []).append(value)
        return {name: torch.from_numpy(np.stack(values)) for name, values in out.items()}

    def plain(self, rng: np.random.Generator, size: int) -> Batch:
        """The same, with the past undamaged and every condition free, to measure by."""
        drawn = [self.excerpt(rng) for _ in range(size)]
        stacked = {
            k: np.stack([e[k] for e in drawn]) for k in ("cells", "when", "bar", "conditions")
        }
        return {
            "cells": torch.from_numpy(stacked["cells"][:, :, : grid.DIFFUSED].copy()),
            "past": torch.from_numpy(stacked["cells"]), "when": torch.from_numpy(stacked["when"]),
            "bar": torch.from_numpy(stacked["bar"]),
            "conditions": torch.zeros(stacked["conditions"].shape),
            "echo": torch.ones(size, 3),
        }  # fmt: skip


# ------------------------------------------------------------------------------ building


def _read(job: tuple[str, Path]) -> Work | str:
    collection, path = job
    try:
        if collection == "pop909":
            return read_pop909(path)
        return read_score(path, collection, voice=collection == "openscore-lieder")
    except (ValueError, OSError) as error:
        return str(error)


def fingerprint(work: Work) -> bytes:
    """Equal for two copies of one piece in any key: intervals and gaps of its first notes."""
    first = work.notes[:96]
    return np.concatenate([np.diff(first[:, 2]), np.diff(first[:, 0])]).astype(np.int16).tobytes()


def write(works: list[Work], out: Path) -> None:
    """Write a dataset folder."""
    out.mkdir(parents=True, exist_ok=True)
    kinds = {"notes": np.int32, "bars": np.int32, "tempo": np.float32, "chords": np.int16,
             "keys": np.int8, "phrases": np.int32}  # fmt: skip
    columns = {
        name: np.concatenate([getattr(w, name) for w in works]).astype(kind)
        for name, kind in kinds.items()
    }
    savez: Callable[..., None] = np.savez_compressed  # its own type takes an option for an array
    savez(out / "beats.npz", **columns)
    index = [
        {"name": w.name, "collection": w.collection, "flat": bool(w.flat),
         "split": "held" if held_out(w.name.rpartition("/")[2]) else "train",
         "counts": {name: len(getattr(w, name)) for name in COLUMNS}}
        for w in works
    ]  # fmt: skip
    (out / "index.json").write_text(json.dumps({"works": index}, indent=1))


def main() -> None:
    """Parse the command line and build the dataset."""
    parser = argparse.ArgumentParser(prog="python -m training.data.beats", description=__doc__)
    parser.add_argument("--kit", type=Path, required=True, help="folder with scores/ and midi/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs: list[tuple[str, Path]] = []
        archives = [*(arguments.kit / "scores").glob("*.tar.xz")]
        archives += (arguments.kit / "midi").glob("nifc-chopin.tar.xz")
        for archive in sorted(archives):
            name = archive.name.split(".")[0]
            with tarfile.open(archive) as tar:
                tar.extractall(Path(folder) / name, filter="data")
            files = sorted((Path(folder) / name).rglob("*.mid"))
            jobs += [(name, p.parent if name == "pop909" else p) for p in files]
        if not jobs:
            sys.exit(f"{arguments.kit}: no scores/*.tar.xz. Use --kit with the folder of the kit.")
        with ProcessPoolExecutor(arguments.workers) as pool:
            read = list(pool.map(_read, jobs, chunksize=8))
    works: list[Work] = []
    seen: set[bytes] = set()
    copies = 0
    for result in read:
        if isinstance(result, str):
            print(result, file=sys.stderr)
        elif (mark := fingerprint(result)) in seen:
            copies += 1
        else:
            seen.add(mark)
            works.append(result)
    write(works, arguments.out)
    counts = Counter(w.collection for w in works)
    beats = sum(int(w.bars[-1]) for w in works) / BEAT
    print(f"{len(works)} works {dict(counts)}, {beats:.0f} beats; {copies} copies left out")


if __name__ == "__main__":
    main()
