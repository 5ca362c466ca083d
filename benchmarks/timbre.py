"""Do instrument, room and brightness change the sound as they do in the data?

The same seed and so the same notes, with a control at both its ends. Instrument: the levels
of 24 bands change as between the data's instruments. Brightness: the centre of the spectrum rises.
Room: where the music has just fallen, the sound goes on louder.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Found, Value
from benchmarks.measures import centroid
from benchmarks.obedience import LEAD_IN_S, after_lead_in, needs
from benchmarks.streams import Played
from benchmarks.workbench import Workbench
from engine.representations.stft import Stft

Samples = NDArray[np.float32]
BANDS = 24
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 8000.0
ENDS = {"instrument": (0.0, 1.0), "room": (0.0, 1.0), "brightness": (-1.0, 1.0)}
_EXCERPTS = 12  # of each instrument, of the held-out works


def band_levels(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Mean level [24] in dB of bands from 80 Hz to 8 kHz, less their mean: the tone alone."""
    stft = Stft(2048, 1024)
    power = np.square(np.abs(stft.forward(samples))).mean(axis=1)
    edges = np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, rate / 2), BANDS + 1) * 2048 / rate
    at = [slice(int(a), max(int(a) + 1, int(b))) for a, b in pairwise(edges)]
    level = 10 * np.log10(np.array([power[s].mean() for s in at]) + 1e-12)
    return level - level.mean()


def afterglow(small: Samples, large: Samples, rate: int) -> float:
    """How much louder, dB, the large room is where the same music has just fallen in the small one.

    Frames of 20 ms that lie 15 dB under the loudest of the 0.4 s before; against the difference of
    both over all frames. 0 where nothing falls so far.
    """
    n = round(0.02 * rate)
    both = []
    for x in (small, large):
        frames = x[: len(x) // n * n].reshape(-1, n)
        both.append(10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-10))
    dry, wet = both
    before = np.lib.stride_tricks.sliding_window_view(np.pad(dry, (20, 0), mode="edge"), 20)
    loudest = before[: len(dry)].max(axis=1)
    fallen = (dry < loudest - 15.0) & (loudest > -50.0)
    if not fallen.any():
        return 0.0
    sounding = dry >= loudest - 6.0
    return float((wet - dry)[fallen].mean() - (wet - dry)[sounding].mean())


def _of_the_data(bench: Workbench) -> NDArray[np.float64]:
    """How the second instrument's bands differ from the first's in the held-out works."""
    rng = np.random.default_rng(bench.args.seed)
    means = []
    for instrument in (0, 1):
        pieces = [i for i, p in enumerate(bench.held.pieces) if p.get("instrument") == instrument]
        pieces = [i for i in pieces if i in set(bench.held.longer_than(30.0))]
        chosen = [pieces[k % len(pieces)] for k in range(_EXCERPTS)] if pieces else []
        each = [band_levels(bench.held.excerpt(i, 30.0, rng)[1], bench.held.rate) for i in chosen]
        means.append(np.mean(each, axis=0) if each else np.zeros(BANDS))
    return means[1] - means[0]


def both_ends(bench: Workbench, name: str) -> tuple[Played, Played]:
    """The same music with a control at its lower and at its upper end."""
    low, high = (
        bench.play(
            f"{name}-{value:g}", bench.args.control_seconds + LEAD_IN_S,
            bench.request(bench.args.seed, **{name: value}),
        )
        for value in ENDS[name]
    )  # fmt: skip
    return low, high


def timbre(bench: Workbench) -> Found:
    """How many of the three change the sound in their direction."""
    for name in ENDS:
        needs(bench, name)
    rate = bench.source.manifest.rate
    low, high = (after_lead_in(s) for s in both_ends(bench, "instrument"))
    changed = band_levels(high, rate) - band_levels(low, rate)
    true = _of_the_data(bench)
    alike = float(np.corrcoef(changed, true)[0, 1]) if changed.any() and true.any() else 0.0
    low, high = (after_lead_in(s) for s in both_ends(bench, "room"))
    glow = afterglow(low, high, rate)
    low, high = (after_lead_in(s) for s in both_ends(bench, "brightness"))
    bright = centroid(low) * rate, centroid(high) * rate
    done = [alike > 0.3, glow > 0.5, bright[1] > bright[0]]
    return Found(
        {"timbre": Value(
            sum(done),
            f"{sum(done)} (bands r = {alike:.2f}; after the sound {glow:+.1f} dB; "
            f"centroid {bright[0]:.0f} to {bright[1]:.0f} Hz)",
        )},
        "The same seed with each control at both its ends. r: correlation of the change of 24 "
        "bands from grand to upright with that of the held-out works (over 0.3 counts). "
        "After the sound: how much louder the large room is in the 0.4 s after the music has "
        "fallen by 15 dB (over 0.5 counts).",
        {"instrument": alike, "room": glow, "brightness": bright},
    )  # fmt: skip
