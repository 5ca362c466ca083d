"""Pairs of neighbouring spectrogram blocks, drawn at random from a dataset.

The spectrogram is the engine's: a periodic Hann window, no centring (frame n covers samples
n * hop to n * hop + window), the top bin left out, x = (ln(magnitude + floor) - mean) / scale.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.sampling.parameterisation import SIGMA_DATA
from training.run import Checkpoint

_DRAWS = 20  # at most, for an excerpt that does not end near silence
_SILENT = 0.004  # RMS, of full scale


@dataclass(frozen=True)
class SpectrogramConfig:
    """The spectrogram of a block. `floor` is added to magnitudes: anything below it is silence."""

    rate: int = 16000
    window: int = 1024
    hop: int = 256
    frames: int = 128
    floor: float = 0.02

    @property
    def bins(self) -> int:
        """Rows of a block: half the window, the top row discarded as in the paper."""
        return self.window // 2

    def samples(self, frames: int) -> int:
        """Samples that `frames` frames cover."""
        return (frames - 1) * self.hop + self.window


@dataclass(frozen=True)
class Normalisation:
    """`mean` [bins] of ln(magnitude + floor) and one `scale`, giving std `SIGMA_DATA`."""

    mean: np.ndarray
    scale: float

    @classmethod
    def of(cls, checkpoint: Checkpoint | None) -> Normalisation | None:
        """The one in a checkpoint, None without a checkpoint."""
        if checkpoint is None:
            return None
        return cls(checkpoint["mean"].numpy(), checkpoint["scale"])

    def facts(self) -> Checkpoint:
        """Its entries in a checkpoint."""
        return {"mean": torch.from_numpy(np.asarray(self.mean)), "scale": self.scale}


class Blocks:
    """Draws batches of (previous, current) from one split of a dataset folder.

    Raises
    ------
    FileNotFoundError
        When the folder is no dataset.
    """

    def __init__(self, folder: Path, split: str, config: SpectrogramConfig) -> None:
        index_file = folder / "index.json"
        if not index_file.is_file():
            raise FileNotFoundError(
                f"{folder}: no index.json. Build a dataset with 'python -m training.data.build'."
            )
        index = json.loads(index_file.read_text())
        if index["rate"] != config.rate:
            raise ValueError(
                f"{folder} holds {index['rate']} Hz, the preset needs {config.rate} Hz. Build it "
                f"with 'python -m training.data.build --rate {config.rate}'."
            )
        self.config = config
        self.audio = np.load(folder / f"{split}.npy", mmap_mode="r")
        need = config.samples(3 * config.frames)
        self.pieces = [p for p in index["pieces"] if p["split"] == split and p["length"] > need]
        lengths = np.array([p["length"] for p in self.pieces], float)
        self._share = lengths / lengths.sum()
        self._hann = torch.hann_window(config.window, periodic=True)

    def spectrogram(self, samples: Tensor) -> Tensor:
        """ln(magnitude + floor) of [batch, samples]; returns [batch, bins, frames]."""
        c = self.config
        spectrum = torch.stft(
            samples, c.window, c.hop, window=self._hann, center=False, return_complex=True
        )
        return (spectrum.abs()[:, : c.bins] + c.floor).log()

    def excerpt(self, rng: np.random.Generator, frames: int) -> np.ndarray:
        """Samples of `frames` frames from a random place that does not end near silence."""
        need = self.config.samples(frames)
        x = self._drawn(rng, need)
        for _ in range(_DRAWS - 1):
            if np.sqrt(np.mean(x[need // 2 :] ** 2)) > _SILENT:
                break
            x = self._drawn(rng, need)
        return x

    def _drawn(self, rng: np.random.Generator, need: int) -> np.ndarray:
        piece = self.pieces[rng.choice(len(self.pieces), p=self._share)]
        at = piece["offset"] + int(rng.integers(0, piece["length"] - need))
        return self.audio[at : at + need].astype(np.float32) / 32768

    def batch(self, rng: np.random.Generator, size: int, blocks: int = 2) -> Tensor:
        """Unnormalised blocks in a row: [size, bins, blocks * frames]."""
        x = np.stack([self.excerpt(rng, blocks * self.config.frames) for _ in range(size)])
        return self.spectrogram(torch.from_numpy(x))

    def measure(self, rng: np.random.Generator, count: int = 600) -> Normalisation:
        """Statistics for normalisation from `count` random blocks."""
        x = torch.cat([self.batch(rng, 20, 1) for _ in range(count // 20)])
        mean = x.mean(dim=(0, 2))
        scale = float((x - mean[:, None]).std() / SIGMA_DATA)
        return Normalisation(mean.numpy(), scale)


def normalised(x: Tensor, norm: Normalisation) -> Tensor:
    """[batch, bins, frames] of ln magnitude -> [batch, 1, bins, frames] of std SIGMA_DATA."""
    mean = torch.from_numpy(norm.mean)[None, :, None]
    return ((x - mean) / norm.scale)[:, None]
