"""Does the music follow its controls? Harmony, density, register and loudness, in the sound.

One stream for each value, from nothing, with one control set throughout; its first seconds are left
out, as there is no past yet. The result is measured in the sound, never in the notes sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from benchmarks.embedding import level_db
from benchmarks.figures import Found, Value
from benchmarks.measures import chroma
from benchmarks.streams import Played
from benchmarks.workbench import Workbench
from engine.errors import ConfigError
from engine.notes.note import Note

LEAD_IN_S = 4.0
CHORDS: Mapping[str, tuple[int, ...]] = {
    "C E G": (0, 4, 7), "D F A": (2, 5, 9), "F# A# C#": (6, 10, 1), "E G B": (4, 7, 11),
    "Ab C Eb": (8, 0, 3), "Bb D F": (10, 2, 5),
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """A control whose effect is a number: the values to request, and how the sound is measured."""

    values: tuple[float, ...]
    unit: str
    measure: Callable[[Sequence[Note], NDArray[np.float32], float], float]


def _density(notes: Sequence[Note], samples: NDArray[np.float32], seconds: float) -> float:
    return len(notes) / seconds


def _register(notes: Sequence[Note], samples: NDArray[np.float32], seconds: float) -> float:
    return float(np.mean([n.pitch for n in notes])) if notes else float("nan")


def _loudness(notes: Sequence[Note], samples: NDArray[np.float32], seconds: float) -> float:
    return level_db(samples)


LEVELS: Mapping[str, Level] = {
    "density": Level(
        (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0), "onsets a second, transcribed", _density
    ),
    "register": Level(
        (36.0, 43.0, 50.0, 57.0, 64.0, 71.0, 78.0, 84.0), "mean pitch, transcribed", _register
    ),
    "loudness": Level((20.0, 32.0, 45.0, 58.0, 71.0, 84.0, 97.0, 110.0), "dBFS RMS", _loudness),
}


def agreement(samples: NDArray[np.float32], rate: int, classes: Sequence[int]) -> float:
    """Cosine of the chroma of a sound with 1 at the requested pitch classes and 0 elsewhere."""
    wanted = np.zeros(12)
    wanted[list(classes)] = 1 / np.sqrt(len(classes))
    return float(chroma(samples, rate) @ wanted)


def share(samples: NDArray[np.float32], rate: int, classes: Sequence[int]) -> float:
    """How much of the (squared) chroma lies in the requested pitch classes."""
    return float(np.square(chroma(samples, rate))[list(classes)].sum())


def after_lead_in(stream: Played) -> NDArray[np.float32]:
    """The stream without its first seconds."""
    return stream.cut(LEAD_IN_S)


def requested_chord(bench: Workbench, name: str) -> Played:
    """A stream in which a chord's pitch classes are requested throughout."""
    wanted = [float(c in CHORDS[name]) for c in range(12)]
    request = bench.request(bench.args.seed, harmony=wanted)
    return bench.play(
        f"harmony-{name.replace(' ', '')}", bench.args.control_seconds + LEAD_IN_S, request
    )


def harmony(bench: Workbench) -> Found:
    """Agreement with each chord when it is requested, minus that of free streams with it."""
    needs(bench, "harmony")
    seconds = bench.args.control_seconds + LEAD_IN_S
    free = [bench.play(f"free-{k}", seconds, bench.request(bench.args.seed + k)) for k in range(3)]
    rows, gains, shares = {}, [], []
    for name, classes in CHORDS.items():
        stream = requested_chord(bench, name)
        got = [f(after_lead_in(stream), stream.rate, classes) for f in (agreement, share)]
        base = [
            float(np.mean([f(after_lead_in(s), s.rate, classes) for s in free]))
            for f in (agreement, share)
        ]
        gains.append(got[0] - base[0])
        shares.append(got[1] - base[1])
        rows[name] = {"requested": got[0], "free": base[0], "share": got[1], "free_share": base[1]}
        print(f"harmony {name}: {got[0]:.2f} requested, {base[0]:.2f} free", flush=True)
    requested, base_all = (
        float(np.mean([r[k] for r in rows.values()])) for k in ("requested", "free")
    )
    gain = float(np.mean(gains))
    return Found(
        {"harmony": Value(gain, f"{gain:+.2f} ({requested:.2f} requested, {base_all:.2f} free)")},
        f"{len(CHORDS)} chords ({', '.join(CHORDS)}), {bench.args.control_seconds:g} s each, "
        f"against {len(free)} free streams. Agreement: cosine of the sound's chroma with the "
        f"requested classes; single chords {min(gains):+.2f} to {max(gains):+.2f}. Share of the "
        "squared chroma in the requested classes: "
        f"{np.mean([r['share'] for r in rows.values()]):.2f} against "
        f"{np.mean([r['free_share'] for r in rows.values()]):.2f}.",
        {"chords": rows, "gain": gain, "gain_of_share": float(np.mean(shares))},
    )


def requested_level(bench: Workbench, name: str, value: float, turn: int) -> Played:
    """A stream in which a value is requested throughout; each turn has other music."""
    request = bench.request(bench.args.seed + 100 * turn, **{name: value})
    seconds = bench.args.control_seconds + LEAD_IN_S
    return bench.play(f"{name}-{value:g}-{turn}", seconds, request)


def levels(bench: Workbench) -> Found:
    """Rank correlation (Spearman) of the requested with the measured values, over all streams."""
    values, texts, data = {}, [], {}
    for name, level in LEVELS.items():
        needs(bench, name)
        pairs = []
        for turn in range(bench.args.control_turns):
            for value in level.values:
                stream = requested_level(bench, name, value, turn)
                x = after_lead_in(stream)
                got = level.measure(bench.notes_of(x, stream.rate), x, len(x) / stream.rate)
                pairs.append((value, got))
                print(f"{name} {value:g}: {got:.2f}", flush=True)
        rho = rank_correlation(pairs)
        measured = {v: [g for a, g in pairs if a == v] for v in level.values}
        values[name] = Value(rho, f"{rho:.2f} ({len(pairs)} streams)")
        shown = ", ".join(f"{v:g}: {np.mean(g):.1f}" for v, g in measured.items())
        texts.append(f"{name} ({level.unit}), by requested value: {shown}")
        data[name] = {"rho": rho, "pairs": pairs}
    head = f"{bench.args.control_seconds:g} s each. "
    return Found(values, head + "; ".join(texts) + ".", data)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's; pairs without a measured value are left out, 0 where no order is left."""
    kept = [(a, b) for a, b in pairs if np.isfinite(b)]
    if len(kept) < 3 or len({b for _, b in kept}) < 2:
        return 0.0
    a, b = zip(*kept, strict=True)
    found: Any = scipy.stats.spearmanr(a, b)  # its stubs do not name the result's fields
    return float(found.statistic)


def needs(bench: Workbench, control: str) -> None:
    """Refuse a pack without this control.

    Raises
    ------
    ConfigError
        With the name of the pack.
    """
    if not bench.has_control(control):
        name = bench.source.manifest.name
        raise ConfigError(
            f"pack {name!r} has no control {control!r}. Leave this part out with --only."
        )
