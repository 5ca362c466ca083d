"""The pictures of the documentation: a spectrogram, a loss curve, the statistics of seams.

    python -m benchmarks.pictures [--held data/piano24] [--run runs/piano-16k] [--out docs]

Writes into `OUT/images/`. The seams come from `OUT/benchmarks/seams.json` (benchmarks.seams); what
a picture needs and does not find is reported, and that picture stays as it is.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.material import Held, Samples, Source, Stream
from benchmarks.measures import SEAM_MEASURES
from engine.errors import AttaccaError
from engine.representations.stft import Stft

INK, MUTED, ACCENT, REAL, BAD = "#1d2433", "#8a93a6", "#c8442c", "#2f6fb0", "#9aa0aa"
STYLE: Any = {
    "font.size": 10, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "axes.titlelocation": "left", "axes.titlesize": 11, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.color": INK, "ytick.color": INK, "savefig.dpi": 130,
    "figure.constrained_layout.use": True,
}  # fmt: skip
TOP_HZ = 6000.0
RANGE_DB = 75.0


def _plotting() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise AttaccaError(
            "matplotlib is missing; install the extra: `pip install .[bench]`"
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(STYLE)
    return plt


def spectrum_db(samples: Samples, rate: int) -> tuple[np.ndarray, float]:
    """Levels [bins, frames] in dB up to `TOP_HZ`, and seconds a frame."""
    stft = Stft(2048, 512)
    magnitude = np.abs(stft.forward(samples))[: int(TOP_HZ * stft.window / rate)]
    return 20 * np.log10(magnitude + 1e-4), stft.hop / rate


def spectrogram(stream: Stream, real: Samples, name: str, rate: int, path: Path) -> None:
    """A generated minute over a real one, in one scale of colours, the seams marked."""
    plt = _plotting()
    generated, hop = spectrum_db(stream.samples[: real.size], rate)
    true, _ = spectrum_db(real, rate)
    high = float(max(generated.max(), true.max()))
    generated, true = generated - high, true - high
    figure, axes = plt.subplots(2, 1, figsize=(11, 6.4), sharex=True, sharey=True)
    seconds = generated.shape[1] * hop
    pictures = []
    for axis, levels in zip(axes, (generated, true), strict=True):
        picture = axis.imshow(
            levels, origin="lower", aspect="auto", cmap="magma", interpolation="antialiased",
            extent=(0, seconds, 0, TOP_HZ / 1000), vmin=-RANGE_DB, vmax=0.0,
        )  # fmt: skip
        axis.set_ylabel("kHz")
        pictures.append(picture)
    seams = [(j + stream.crossing) / rate for j in stream.joints]
    axes[0].plot(
        [s for s in seams if s < seconds], [1.02] * sum(s < seconds for s in seams), "v", ms=6,
        color=ACCENT, transform=axes[0].get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
    axes[0].set_title("Generated; the marks stand at the seams", pad=12)
    axes[1].set_title(f"Held out, never trained on: {name}")
    axes[1].set_xlabel("seconds")
    figure.colorbar(pictures[0], ax=list(axes), label="dB under the loudest", pad=0.01)
    figure.savefig(path)
    plt.close(figure)


def loss(log: Path, path: Path) -> None:
    """Losses of a run over the hours of one of its cores."""
    plt = _plotting()
    with log.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    hours = [float(r["hours"]) for r in rows]
    figure, axis = plt.subplots(figsize=(8, 4))
    lines = (
        ("loss", "training", MUTED, "-"),
        ("held", "held out", ACCENT, "-"),
        ("held_no_past", "held out, without the past", REAL, "--"),
    )
    for column, label, colour, dash in lines:
        values = [float(r[column]) if r[column] else np.nan for r in rows]
        axis.plot(
            hours, values, dash, color=colour, label=label, marker="." if len(rows) < 40 else ""
        )
    axis.set_title(
        f"Loss of {log.parent.name}: the gap between the held-out lines is the gain from the past"
    )
    axis.set_xlim(left=0.0)
    axis.set_xlabel("hours of training")
    axis.set_ylabel("weighted squared error")
    axis.legend(frameon=False)
    axis.grid(axis="y", color="#e4e7ee")
    figure.savefig(path)
    plt.close(figure)


_KINDS = {
    "seams": ACCENT, "inside the blocks": "#e59a86", "held-out pieces": REAL,
    "real recording": "#8fb7dd", "independent blocks, butt-joined": BAD,
    "hard splices of real pieces": BAD,
}  # fmt: skip
_AXES = {
    "jump": "jump, z", "slope": "slope, z", "flux": "flux, ratio",
    "loudness": "loudness step, dB", "embedding": "embedding distance",
}  # fmt: skip


def seams(found: dict[str, Any], path: Path) -> None:
    """For each measure the spread at seams, inside blocks, in real sound, and at bad joins."""
    plt = _plotting()
    from matplotlib.ticker import NullLocator

    names = [name for name in _KINDS if found["groups"].get(name, {}).get("n")]
    figure, axes = plt.subplots(1, len(SEAM_MEASURES), figsize=(12, 3.4), sharey=True)
    places = {name: len(names) - 1 - k for k, name in enumerate(names)}
    for axis, measure in zip(axes, SEAM_MEASURES, strict=True):
        for name, y in places.items():
            q = found["groups"][name][measure]  # 41 quantiles, every 2.5 %
            axis.plot([q[2], q[38]], [y, y], color=_KINDS[name], lw=2, solid_capstyle="butt")
            axis.plot([q[10], q[30]], [y, y], color=_KINDS[name], lw=8, solid_capstyle="butt")
            axis.plot(q[20], y, "|", color="white", ms=9, mew=2)
        axis.axvline(found["bound"][measure], color=INK, lw=1, ls=":")
        axis.set_xlabel(_AXES[measure])
        axis.tick_params(left=False)
        if measure == "embedding":
            continue
        # Bad joins lie far out: a scale that shows both.
        if measure == "flux":
            axis.set_xscale("log")
        else:
            axis.set_xscale("symlog", linthresh=1.0)
        widest = max(found["groups"][n][measure][38] for n in names)
        least = min(found["groups"][n][measure][2] for n in names)
        ticks = [t for t in (0, 1, 3, 10, 30, 100) if least - 1 <= t <= 1.1 * widest]
        ticks = [t for t in ticks if t or measure != "flux"]
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
    axes[0].set_yticks(list(places.values()), list(places))
    figure.suptitle(
        "Joins: middle half and 5 to 95 % of each kind; the dotted line keeps 95 % of real places",
        x=0.01, ha="left", fontsize=11, color=INK,
    )  # fmt: skip
    figure.savefig(path)
    plt.close(figure)


def title_of(name: str) -> str:
    """A piece's name for people: no folder, no 11-letter identifier, nothing after it."""
    words = name.split("/")[-1].split("_")
    known = [k for k, w in enumerate(words) if len(w) == 11 and w != w.lower() and w != w.title()]
    return " ".join(words[: known[0]] if known and known[0] else words)


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw what can be drawn; returns the files written."""
    images = args.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    done = []
    source = Source(args.pack)
    rate = source.manifest.rate
    held = Held(args.held, rate)
    piece = args.piece if args.piece is not None else held.longer_than(args.seconds + 20)[0]
    real = held.cut(piece, 10 * rate, round(args.seconds * rate))
    request = source.request(seed=args.seed, steps=args.steps, sampler=args.sampler)
    stream = source.stream(args.seconds, request)
    done.append(images / "spectrogram.png")
    spectrogram(stream, real, title_of(held.pieces[piece]["name"]), rate, done[-1])
    log, data = args.run / "log.csv", args.out / "benchmarks" / "seams.json"
    if log.is_file():
        done.append(images / "loss.png")
        loss(log, done[-1])
    else:
        print(f"no loss curve: {log} is missing (--run)", flush=True)
    if data.is_file():
        done.append(images / "seams.png")
        seams(json.loads(data.read_text(encoding="utf-8")), done[-1])
    else:
        print(f"no picture of seams: {data} is missing; run benchmarks.seams --out", flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--held", type=Path, default=Path("data/piano24"), help="dataset folder")
    parser.add_argument("--run", type=Path, default=Path("runs/piano-16k"), help="for its log.csv")
    parser.add_argument("--pack", default="piano")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--piece", type=int, help="which held-out piece; by default the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="in place of the pack's own")
    parser.add_argument("--sampler", help="in place of the pack's own")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    try:
        done = draw(args)
    except AttaccaError as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(path) for path in done))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
