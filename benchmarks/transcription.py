"""The quality of transcription: rendered held-out pieces, transcribed, against their notes.

    python -m benchmarks.transcription --graph FILE [--held data/piano24] [--pieces 20]

A note is found where one of its pitch begins within 50 ms, each counted once (the onset measure of
the MIREX note tracking task). Ends are not compared: a pedal and a room blur them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks import report
from engine.errors import AttaccaError, ConfigError
from engine.notes.note import Note
from engine.notes.transcription import Transcriber
from engine.onnx_runtime import open_session

WITHIN = 0.05  # seconds
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
_START = 20.0  # seconds into a piece


def pairs(
    true: Sequence[Note], found: Sequence[Note], within: float = WITHIN
) -> list[tuple[int, int]]:
    """Indices (true, found) of notes of one pitch whose onsets lie within `within` seconds.

    Taking both in the order of time matches as many as can be matched, within one pitch.
    """
    matched: list[tuple[int, int]] = []
    for pitch in {n.pitch for n in true}:
        a = sorted((n.start, i) for i, n in enumerate(true) if n.pitch == pitch)
        b = sorted((n.start, i) for i, n in enumerate(found) if n.pitch == pitch)
        i = j = 0
        while i < len(a) and j < len(b):
            late = b[j][0] - a[i][0]
            if abs(late) <= within:
                matched.append((a[i][1], b[j][1]))
            i += late >= -within
            j += late <= within
    return matched


def excerpts(folder: Path, pieces: int, seconds: float, seed: int):
    """Yield (rate, samples [n] float32, notes) of held-out pieces, 20 s into each."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        audio = np.load(folder / "held.npy", mmap_mode="r")
        table = np.load(folder / "notes.npy", mmap_mode="r")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{error.filename}: missing. Build a dataset with 'python -m training.data.build'."
        ) from error
    rate, last = index["rate"], _START + seconds
    fit = [
        p for p in index["pieces"]
        if p["split"] == "held" and "notes_offset" in p and p["length"] >= last * rate
    ]  # fmt: skip
    for k in np.random.default_rng(seed).permutation(len(fit))[:pieces]:
        p = fit[k]
        at = p["offset"] + round(_START * rate)
        x = audio[at : at + round(seconds * rate)].astype(np.float32) / 32768
        rows = table[p["notes_offset"] : p["notes_offset"] + p["notes_count"]]
        notes = [Note(int(r[0]), int(r[1]), r[2] - _START, r[3] - _START) for r in rows.tolist()]
        yield rate, x, [n for n in notes if 0 <= n.start < seconds - 0.1]


def measure(graph: Path, folder: Path, pieces: int, seconds: float, seed: int) -> str:
    """The table of onset precision, recall and F1 by threshold, and three lines below it."""
    transcriber = Transcriber(open_session(str(graph), graph.read_bytes()))
    counts = {t: np.zeros(3) for t in THRESHOLDS}  # right, found, true
    late: list[float] = []
    velocities: list[tuple[int, int]] = []
    cost = seconds_read = 0.0
    for rate, x, true in excerpts(folder, pieces, seconds, seed):
        for threshold in THRESHOLDS:
            began = time.thread_time()
            found = transcriber.notes(x, rate, threshold)
            spent = time.thread_time() - began
            right = pairs(true, found)
            counts[threshold] += len(right), len(found), len(true)
            if threshold == 0.5:
                cost, seconds_read = cost + spent, seconds_read + len(x) / rate
                late += [found[j].start - true[i].start for i, j in right]
                velocities += [(true[i].velocity, found[j].velocity) for i, j in right]
    if not late:
        raise ConfigError(
            f"{folder}: no note of a held-out piece was found. Use a dataset with notes."
        )
    rows = []
    for threshold, (right, found, true) in counts.items():
        p, r, f = right / max(found, 1), right / true, 2 * right / (found + true)
        rows.append((threshold, f"{p:.3f}", f"{r:.3f}", f"{f:.3f}"))
    v = np.array(velocities)
    return "\n".join(
        [
            report.table(("onset threshold", "precision", "recall", "F1"), rows),
            f"Notes: {int(counts[0.5][2])} in {seconds_read:.0f} s of {pieces} pieces. "
            f"At 0.5: onsets {1000 * np.median(late):+.1f} ms "
            f"(deviation {1000 * np.std(late):.1f});",
            f"velocity: rank correlation {spearmanr(v[:, 0], v[:, 1])[0]:.2f}, "
            f"mean error {abs(v[:, 0] - v[:, 1]).mean():.1f} of 127;",
            f"cost: {cost / seconds_read:.4f} s of one thread a second of sound.",
        ]
    )


def main() -> int:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transcription")
    parser.add_argument("--graph", required=True, type=Path, help="basic-pitch's nmp.onnx")
    parser.add_argument("--held", default=Path("data/piano24"), type=Path, help="a dataset folder")
    parser.add_argument("--pieces", default=20, type=int)
    parser.add_argument("--seconds", default=30.0, type=float, help="of each piece")
    parser.add_argument("--seed", default=3, type=int)
    a = parser.parse_args()
    try:
        print(measure(a.graph, a.held, a.pieces, a.seconds, a.seed))
    except AttaccaError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
