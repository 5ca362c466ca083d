"""A sampled piano: a folder of files named `<root><layer>`, such as `C4v9.ogg` or `Fs3vH.ogg`.

The layer is a number (its centre velocity is (layer - 0.5) * 8) or a letter, L or H. Each of the 88
keys is computed once for each layer, from the nearest root, resampled to its pitch and the rate.

A velocity selects the nearest layer. Its loudness follows a line through the layers' measured
loudness (`Loudness`), so that it rises without a step where the layers change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.ndimage import gaussian_filter1d

from engine.notes.note import Note
from training.data.notes import HIGHEST, LOWEST

_NAME = re.compile(r"^([A-G])(s?)(-?\d)v(\d+|L|H)$")
_STEP = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_LETTER_VELOCITY = {"L": 45.0, "H": 95.0}
_UNDAMPED = 90  # from F#6 up a piano has no dampers
_MEASURED = 0.5  # seconds from the attack over which loudness is measured


@dataclass(frozen=True)
class Loudness:
    """How loud a piano's keys are: ln RMS of the first half second.

    `velocities` [layers] rising, `levels` [layers] the mean over the keys, `keys` [88] each
    key's offset from it in every layer, smooth over the keyboard.
    """

    velocities: np.ndarray
    levels: np.ndarray
    keys: np.ndarray

    def of(self, pitch: int, velocity: float) -> float:
        """Straight lines in ln velocity between the layers, and on beyond them."""
        x = np.log(self.velocities)
        slopes = np.diff(self.levels) / np.diff(x) if len(x) > 1 else np.array([1.3])
        i = int(np.clip(np.searchsorted(x, np.log(velocity)) - 1, 0, len(slopes) - 1))
        level = self.levels[i] + slopes[i] * (np.log(velocity) - x[i])
        return float(level + self.keys[pitch - LOWEST])


class Kit:
    """All keys and layers of one sampled piano in memory, mono.

    Parameters
    ----------
    folder : where the sample files lie.
    rate : samples per second of the rendered sound.
    loudness : another piano's, to match it; by default the samples' own. A kit with letter layers,
        whose samples are recorded at levels of their own, sounds even only with another's.

    Raises
    ------
    FileNotFoundError
        When the folder holds no file with such a name.
    """

    def __init__(self, folder: Path, rate: int, loudness: Loudness | None = None) -> None:
        roots: dict[str, dict[int, np.ndarray]] = {}
        for path in sorted(folder.iterdir()):
            match = _NAME.match(path.stem)
            if not match:
                continue
            letter, sharp, octave, layer = match.groups()
            pitch = 12 * (int(octave) + 1) + _STEP[letter] + bool(sharp)
            try:
                audio, source_rate = soundfile.read(path, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                continue  # a root less; its neighbours cover it
            mono = _from_onset(audio.mean(axis=1))
            self._source_rate = source_rate
            roots.setdefault(layer, {})[pitch] = mono
        if not roots:
            raise FileNotFoundError(
                f"{folder}: no sample named like 'C4v9.ogg'. Use the folder of one sampled piano."
            )
        self.rate = rate
        self._velocities = np.array([_centre(layer) for layer in roots])
        self._keys = [
            {p: self._key(of_layer, p) for p in range(LOWEST, HIGHEST + 1)}
            for of_layer in roots.values()
        ]
        self._levels = np.array([[self._level(x) for x in of.values()] for of in self._keys])
        self.loudness = loudness or self._own_loudness()

    def _level(self, x: np.ndarray) -> float:
        return float(np.log(np.sqrt(np.mean(x[: int(_MEASURED * self.rate)] ** 2)) + 1e-9))

    def _own_loudness(self) -> Loudness:
        order = np.argsort(self._velocities)
        levels = self._levels.mean(axis=1)
        keys = (self._levels - levels[:, None]).mean(axis=0)
        # Roots differ by up to 7 dB from their neighbours; a voiced piano is even.
        keys = gaussian_filter1d(keys, 5.0, mode="nearest")
        return Loudness(self._velocities[order], np.maximum.accumulate(levels[order]), keys)

    def _key(self, roots: dict[int, np.ndarray], pitch: int) -> np.ndarray:
        root = min(roots, key=lambda r: abs(r - pitch))
        played_at = self._source_rate * 2 ** ((pitch - root) / 12)
        return soxr.resample(roots[root], played_at, self.rate, quality="HQ").astype(np.float32)

    def render(self, notes: list[Note], tail: float = 2.0) -> np.ndarray:
        """Mix `notes` down. Returns float32 [samples], not normalised."""
        end = max(n.end for n in notes) + tail
        out = np.zeros(int(end * self.rate) + 1, np.float32)
        fade = {p: self._release(p) for p in range(LOWEST, HIGHEST + 1)}
        for n in notes:
            layer = int(np.argmin(abs(self._velocities - n.velocity)))
            sample = self._keys[layer][n.pitch]
            level = self.loudness.of(n.pitch, n.velocity)
            gain = np.exp(level - self._levels[layer, n.pitch - LOWEST])
            at = int(n.start * self.rate)
            held = int((n.end - n.start) * self.rate)
            release = fade[n.pitch]
            sound = sample[: min(held + len(release), len(sample), len(out) - at)] * np.float32(
                gain
            )
            if n.pitch < _UNDAMPED and len(sound) > held:
                sound[held:] *= release[: len(sound) - held]
            out[at : at + len(sound)] += sound
        return out

    def _release(self, pitch: int) -> np.ndarray:
        seconds = 0.30 - 0.20 * (pitch - LOWEST) / (HIGHEST - LOWEST)  # bass strings ring longer
        n = int(seconds * self.rate)
        return np.exp(-5.0 * np.arange(n) / n).astype(np.float32)


def _centre(layer: str) -> float:
    return _LETTER_VELOCITY[layer] if layer in _LETTER_VELOCITY else (int(layer) - 0.5) * 8


def _from_onset(x: np.ndarray) -> np.ndarray:
    """Cut the samples before the attack, so that notes sound at their MIDI times."""
    loud = np.flatnonzero(abs(x) > 0.02 * abs(x).max())
    return x[max(0, int(loud[0]) - 64) :].copy() if len(loud) else x.copy()
