"""Onsets: two lists matched to each other, and notes looked for in the sound. Pure; any thread.

Samples are float32 [samples] mono; times seconds.

A note is looked for at its first partials: the level in the 40 ms after a moment over that in the
40 ms before it, as a curve of the moment. Where a string is struck that curve has a peak. It stands
at the onset however slowly the analysis window fills, as the windows on both sides are the same.
And of the partials at least half have to stand out from what lies a semitone to either side.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.notes.note import Note

Samples = NDArray[np.float32]
PARTIALS = 6
RISE_DB = 3.0  # a rise has to be as high
_WINDOW_S = 0.04
_HOP_S = 0.0025
_CLEAR_S = 0.06  # a peak is the highest so far to either side
_TOP_HZ = 8000.0
_FLOOR = 1e-4  # of magnitudes; softer partials are inaudible
_STANDS_S = 0.15
_OWN, _LOWER, _HIGHER = (np.array(c) for c in ((-40, 40), (-150, -60), (60, 150)))  # cents


def matched(found: Sequence[Note], true: Sequence[Note], within: float = 0.05) -> int:
    """How many notes of two lists have the same pitch and onsets within `within` seconds.

    Each counts once. In the order of time, the earliest that fits is taken: with one tolerance for
    all that gives the most pairs.
    """
    pairs = 0
    by_pitch: dict[int, list[float]] = defaultdict(list)
    for n in sorted(found, key=lambda n: n.start):
        by_pitch[n.pitch].append(n.start)
    at: dict[int, int] = defaultdict(int)
    for n in sorted(true, key=lambda n: n.start):
        starts = by_pitch.get(n.pitch, [])
        k = max(at[n.pitch], bisect_left(starts, n.start - within - 1e-9))
        if k < len(starts) and starts[k] <= n.start + within + 1e-9:
            pairs += 1
            k += 1
        at[n.pitch] = k
    return pairs


def scores(pairs: int, found: int, true: int) -> tuple[float, float, float]:
    """(precision, recall, F1)."""
    precision, recall = pairs / max(found, 1), pairs / max(true, 1)
    return precision, recall, 2 * pairs / max(found + true, 1)


class Rises:
    """Where the partials of a pitch rise in a piece of sound."""

    def __init__(self, samples: Samples, rate: int) -> None:
        self._rate, self._samples = rate, samples
        self._hop = max(1, round(_HOP_S * rate))
        self._window = 2 * round(_WINDOW_S * rate / 2)
        window = np.hanning(self._window + 1)[:-1].astype(np.float32)
        padded = np.pad(samples, self._window)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window)[:: self._hop]
        self._size = 1 << int(np.ceil(np.log2(2 * self._window)))  # padded: peaks between bins
        # Frame j begins at sample j * hop - window of the sound.
        parts = [
            np.abs(np.fft.rfft(frames[k : k + 4096] * window, self._size)).astype(np.float32)
            for k in range(0, len(frames), 4096)
        ]
        self._magnitude = np.concatenate(parts) * np.float32(2 / window.sum())

    def _partials(self, pitch: int) -> NDArray[np.float64]:
        harmonics = 440.0 * 2 ** ((pitch - 69) / 12) * np.arange(1, PARTIALS + 1, dtype=np.float64)
        return harmonics[harmonics < min(_TOP_HZ, 0.45 * self._rate)]

    def curve(self, pitch: int, first: int, last: int) -> NDArray[np.float64]:
        """Rise in dB at moments `first` .. `last` - 1, of 2.5 ms each, all inside the sound.

        Mean of the three partials that rise most.
        """
        bins = np.round(self._partials(pitch) * self._size / self._rate).astype(int)
        ahead = round(self._window / self._hop)
        level = 20 * np.log10(self._magnitude[first : last + ahead, bins] + _FLOOR)
        # Frame j lies before moment j * hop; the one that begins there is `ahead` frames on.
        rise = level[ahead:] - level[: len(level) - ahead]
        return np.sort(rise, axis=1)[:, -3:].mean(axis=1)

    def found(self, note: Note, within: float = 0.03) -> bool:
        """Whether the note's partials rise within so many seconds of its onset, and stand out."""
        step = self._hop / self._rate
        clear, reach = round(_CLEAR_S / step), int(within / step)
        centre = round(note.start / step)
        end = len(self._magnitude) - round(self._window / self._hop)
        first, last = max(0, centre - reach - clear), min(end, centre + reach + clear + 1)
        if last - first <= clear:
            return False
        rise = self.curve(note.pitch, first, last)
        for at in range(max(centre - reach - first, 0), min(centre + reach + 1 - first, len(rise))):
            highest = rise[max(0, at - clear) : at + clear + 1].max()
            if rise[at] >= RISE_DB and rise[at] >= highest:
                return self._stands_out(note)
        return False

    def _stands_out(self, note: Note) -> bool:
        """Whether most partials are louder after the onset than what lies a semitone away."""
        n = round(_STANDS_S * self._rate)
        start = max(0, round((note.start - 0.01) * self._rate))
        x = self._samples[start : start + n]
        size = 1 << int(np.ceil(np.log2(4 * n)))
        level = np.abs(np.fft.rfft(x * np.hanning(len(x)), size))
        margins = []
        for hz in self._partials(note.pitch):
            own, low, high = (
                level[slice(*np.round(hz * 2 ** (cents / 1200) * size / self._rate).astype(int))]
                for cents in (_OWN, _LOWER, _HIGHER)
            )
            margins.append(own.max(initial=0.0) > max(low.max(initial=0), high.max(initial=0)))
        return sum(margins) >= max(1, len(margins) / 2)


def found_in_sound(
    samples: Samples,
    rate: int,
    sent: Sequence[Note],
    transcribed: Sequence[Note],
    within: float = 0.03,
) -> int:
    """How many of the notes sent are struck in the sound within so many seconds.

    By transcription (the same pitch), or else by a rise of their partials.
    """
    rises = Rises(samples, rate)
    starts: dict[int, list[float]] = defaultdict(list)
    for n in transcribed:
        starts[n.pitch].append(n.start)
    return sum(
        any(abs(s - n.start) <= within for s in starts[n.pitch]) or rises.found(n, within)
        for n in sent
    )
