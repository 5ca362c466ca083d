"""Measure streams of the notes stage on beats: `python -m training.evaluate_beats runs/beats
--stats ../shared/eval/music_stats.py --data data/beats`.

Streams in three styles and several tempi and metres, all other conditions free, are measured in
chunks by the file `--stats` (a module with `statistics(notes, seconds)`), beside held-out works of
the data. The table is printed as Markdown.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.data.beats import Beats
from training.data.conditions import SLICES, STYLES, WIDTH
from training.nets.beats import BeatsConfig, BeatsNet
from training.run import on_one_thread
from training.sample_beats import Sampling, Streams, in_seconds
from training.weights import read_weights

CHUNK, SKIP = 90.0, 16.0  # seconds
TEMPI = (70.0, 90.0, 110.0, 80.0, 100.0, 120.0)
BARS = (16, 16, 12, 16, 16, 8)  # tokens

Statistics = Callable[[np.ndarray, float], dict[str, float]]


def statistics_of(path: Path) -> Statistics:
    """The function `statistics` of a Python file."""
    spec = importlib.util.spec_from_file_location("music_stats", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.statistics


def chunks(notes: np.ndarray, statistics: Statistics) -> list[dict[str, float]]:
    """Measure notes [notes, 4] in seconds: every whole chunk after the first seconds."""
    rows = []
    end = float(notes[:, 2].max(initial=0))
    start = SKIP
    while start + CHUNK <= end + 1:
        chunk = notes[(notes[:, 3] > start) & (notes[:, 2] < start + CHUNK)].copy()
        chunk[:, 2:] -= start
        if len(chunk) > 16:
            rows.append(statistics(chunk, CHUNK))
        start += CHUNK
    return rows


def network(folder: Path) -> BeatsNet:
    """The averaged network of a run's folder, or of one that `training.weights` wrote."""
    sizes, weights = read_weights(folder)
    net = BeatsNet(BeatsConfig.from_dict(sizes))
    net.load_state_dict(weights)
    return net.eval()


def styled(count: int) -> np.ndarray:
    """Conditions of `count` streams, the styles in turn, all others free."""
    rows = np.zeros((count, WIDTH), np.float32)
    rows[:, SLICES["style"]] = np.eye(3, dtype=np.float32)[np.arange(count) % len(STYLES)]
    return rows


def played(
    net: BeatsNet, count: int, minutes: float, seed: int, sampling: Sampling
) -> list[np.ndarray]:
    """Notes in seconds of `count` streams, each at least `minutes` long."""
    tempo = [TEMPI[i % len(TEMPI)] for i in range(count)]
    bars = [BARS[i % len(BARS)] for i in range(count)]
    rows = styled(count)
    streams = Streams(net, bars, tempo, seed, sampling, lambda beat: rows)
    streams.play(int(np.ceil(minutes * max(tempo))))
    return [in_seconds(streams.notes(i), tempo[i]) for i in range(count)]


def held_out(beats: Beats, count: int, seed: int = 0) -> list[np.ndarray]:
    """Notes in seconds of `count` works, drawn as excerpts are, performed where they are scores."""
    rng = np.random.default_rng(seed)
    works = [beats.varied(beats.work(rng), rng)[0] for _ in range(count)]
    return [in_seconds(w.notes[:, :4], w.tempo) for w in works]


def start(notes: np.ndarray) -> dict[str, float]:
    """When the first note is struck, and the density of 10 s against that of the second minute."""
    onsets = notes[:, 2]
    later = ((onsets >= 60) & (onsets < 120)).sum() / 60
    return {
        "first note (s)": float(onsets.min(initial=np.inf)),
        "density at the start": float((onsets < 10).sum() / 10 / max(later, 1e-9)),
    }


def table(columns: dict[str, list[dict[str, float]]]) -> str:
    """Means over rows, a Markdown column each."""
    names = list(dict.fromkeys(name for rows in columns.values() for row in rows for name in row))
    lines = ["| measure | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        values = [np.array([r[name] for r in rows if name in r]) for rows in columns.values()]
        shown = [f"{np.nanmean(v):.3f}" if len(v) else "" for v in values]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, generate, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate_beats", description=__doc__)
    parser.add_argument("run", type=Path, help="folder with checkpoint.pt or weights.npz")
    parser.add_argument("--stats", type=Path, required=True, help="the file that measures")
    parser.add_argument("--data", type=Path, help="a folder of training.data.beats, to compare")
    parser.add_argument("--streams", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--works", type=int, default=60, help="held-out works to compare with")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in vars(Sampling()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    on_one_thread()
    statistics = statistics_of(options.stats)
    sampling = Sampling(**{name: getattr(options, name) for name in vars(Sampling())})
    net = network(options.run)
    streams = played(net, options.streams, options.minutes, options.seed, sampling)
    measured = [chunks(notes, statistics) for notes in streams]
    rows = [row for chunk in measured for row in chunk]
    columns = {f"streams ({len(rows)} chunks)": rows + [start(notes) for notes in streams]}
    for i, style in enumerate(STYLES):
        columns[style] = [row for chunk in measured[i :: len(STYLES)] for row in chunk]
    if options.data:
        held = Beats(options.data, "held", net.config.memory)
        real = [r for n in held_out(held, options.works) for r in chunks(n, statistics)]
        columns[f"held-out works ({len(real)} chunks)"] = real
    print(table(columns))


if __name__ == "__main__":
    main()
