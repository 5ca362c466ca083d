"""Is it new? Generated excerpts against their nearest neighbours in the training set.

An excerpt is 2 s of sound: the mean of YAMNet's embeddings of its two halves, of unit length.
Its distance is the cosine distance to the nearest training excerpt. Generated excerpts that copy
would lie nearer to the training set than held-out works do, which are of the same mix and new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from benchmarks.embedding import QUIET_DB, RATE, WINDOW, level_db
from benchmarks.figures import Found, Value
from benchmarks.phrases import Phrases, pieces_of
from benchmarks.workbench import Cloud, Workbench
from engine.errors import ConfigError
from engine.resample import resample

EXCERPT_S = 2.0
RISK = 0.05  # of calling it too near when it is not


def excerpts(bench: Workbench, parts: Iterator[NDArray[np.float32]], rate: int) -> Cloud:
    """Embedding of every whole 2 s of the parts that is not quiet, of unit length."""
    n = round(EXCERPT_S * RATE)
    found = []
    for part in parts:
        resampled = part if rate == RATE else resample(part, rate, RATE)
        for at in range(0, resampled.size - n + 1, n):
            x = resampled[at : at + n]
            if level_db(x) < QUIET_DB:
                continue
            halves = [bench.embedder.one(x[k : k + WINDOW])[0] for k in (0, n - WINDOW)]
            mean = (halves[0] + halves[1]) / 2
            found.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
    return np.stack(found) if found else np.zeros((0, 1024), np.float32)


def nearest(points: Cloud, training: Cloud) -> NDArray[np.float64]:
    """Cosine distance of each point (of unit length) to the nearest of the training set."""
    best = [(training @ points[k : k + 256].T).max(axis=0) for k in range(0, len(points), 256)]
    return 1.0 - np.concatenate(best).astype(np.float64)


def no_nearer(generated: NDArray[np.float64], held: NDArray[np.float64]) -> float:
    """Probability that distances as small as the generated ones come about by chance.

    One-sided Mann-Whitney test against the held-out ones; small when they are nearer.
    """
    return float(scipy.stats.mannwhitneyu(generated, held, alternative="less").pvalue)


def training_parts(folder: Path, every: int) -> tuple[Iterator[NDArray[np.float32]], float]:
    """(pieces of the training set as samples, hours of it); 30 s of every `every` * 30 s.

    Raises
    ------
    ConfigError
        When the training audio is not there.
    """
    path = folder / "train.npy"
    if not path.is_file():
        raise ConfigError(
            f"{path}: missing. Use --held with the dataset that the pack was trained on."
        )
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    audio, rate = np.load(path, mmap_mode="r"), index["rate"]
    pieces = [p for p in index["pieces"] if p["split"] == "train"]
    step = 30 * rate

    def parts() -> Iterator[NDArray[np.float32]]:
        for p in pieces:
            for at in range(0, p["length"], step * every):
                stop = p["offset"] + min(at + step, p["length"])
                yield audio[p["offset"] + at : stop].astype(np.float32) / 32768.0

    return parts(), sum(p["length"] for p in pieces) / rate / 3600


def novelty(bench: Workbench) -> Found:
    """Distances to the nearest training excerpt, and the longest phrases in common with it."""
    args = bench.args
    rate = bench.held.rate
    parts, hours = training_parts(args.held, args.training_every)
    training = bench.kept_cloud(
        f"training-{args.held.name}-{args.training_every}", lambda: excerpts(bench, parts, rate)
    )
    streams = bench.streams(args.minutes)
    generated = np.concatenate([
        bench.kept_cloud(
            f"{s.path.stem}-excerpts", lambda s=s: excerpts(bench, s.pieces(), s.rate)
        )
        for s in streams
    ])  # fmt: skip
    count = min(args.reference_minutes, round(args.minutes * args.streams))
    real = bench.kept_cloud(
        f"held-excerpts-{args.held.name}-{count}-{args.seed}",
        lambda: excerpts(bench, iter([*bench.minutes(0, count), *bench.minutes(1, count)]), rate),
    )
    a, b = nearest(generated, training), nearest(real, training)
    p = no_nearer(a, b)
    tenth, half = (np.quantile(a, q) for q in (0.1, 0.5)), (np.quantile(b, q) for q in (0.1, 0.5))
    (a10, a50), (b10, b50) = tuple(tenth), tuple(half)
    new = p >= RISK
    text = (
        f"{len(generated)} generated and {len(real)} held-out excerpts against {len(training)} of "
        f"{hours:.1f} h trained on{f' (one in {args.training_every})' * (args.training_every > 1)}"
        f". Cosine distance to the nearest, median and lowest tenth: generated {a50:.4f}, "
        f"{a10:.4f}; held out {b50:.4f}, {b10:.4f}. One-sided Mann-Whitney p = {p:.2g} that the "
        "generated are nearer."
    )
    phrase_text, phrase_data = _phrases(bench, [s.notes() for s in streams])
    answer = f"{'yes' if new else 'no'} (median {a50:.4f}, held out {b50:.4f}; p = {p:.2g})"
    return Found(
        {"novelty": Value(float(new), answer)}, text + phrase_text,
        {"generated": [a10, a50], "held": [b10, b50], "p": p,
         "excerpts": [len(generated), len(real)], "training": len(training),
         "phrases": phrase_data},
    )  # fmt: skip


def _phrases(bench: Workbench, generated: list) -> tuple[str, dict]:
    folder = bench.args.notes
    count = sum(map(len, generated))
    if count < 100 or not (folder / "notes.npy").is_file():
        return "", {}
    known = Phrases(pieces_of(folder, "train"))
    held, left = [], count
    for piece in pieces_of(folder, "held"):
        held.append(piece[: max(0, left)])
        left -= len(held[-1])
    found = {"generated": known.shared(generated), "held": known.shared(held)}
    a, b = found["generated"], found["held"]
    text = (
        f" Longest run of notes (interval and coarse time) that stands in the training notes too: "
        f"{a.longest} generated, {b.longest} held out, among {count} notes of each; runs of 8 that "
        f"do: {a.share_of_8:.1%} and {b.share_of_8:.1%}."
    )
    return text, {k: {"longest": v.longest, "share_of_8": v.share_of_8} for k, v in found.items()}
