"""Sound as points: YAMNet's embedding, and the Frechet distance between two clouds of them.

Samples are float32 [samples] mono at any rate (the network takes 16 kHz). Embeddings are
float32 [windows, 1024]. One owner thread for each `Embedder`.

YAMNet: 15,600 samples in (0.975 s), the mean over the last layer's map as embedding. Its kernels
quantise, and differ between the interpreter's back ends by more than rounding: the default back
end is used throughout, so compare only figures of this module.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.resample import resample

RATE = 16_000
WINDOW = 15_600
HOP = 7_680  # 0.48 s
MODEL = "yamnet.tflite"
_TENSOR = "yamnet_frames/global_average_pooling2d/Mean"
_PIANO = 148  # AudioSet's class "Piano" among YAMNet's 521
QUIET_DB = -54.0


def level_db(samples: NDArray[np.float32]) -> float:
    """Root mean square in dB of full scale, at least -120."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return 10.0 * np.log10(max(power, 1e-12))


class Embedder:
    """YAMNet, read from the evaluation folder.

    Parameters
    ----------
    folder : holds `yamnet.tflite`.

    Raises
    ------
    ConfigError
        When the model or the package that runs it is missing.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / MODEL
        if not path.is_file():
            raise ConfigError(
                f"{path}: no such file. Use --eval-folder with the folder of {MODEL}."
            )
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ConfigError(
                "the package 'ai-edge-litert' is missing; install the extra: `pip install .[bench]`"
            ) from error
        with warnings.catch_warnings():
            # It calls keeping all tensors a debugging aid; it is how an inner layer is read.
            warnings.simplefilter("ignore", UserWarning)
            self._net = Interpreter(
                str(path), num_threads=1, experimental_preserve_all_tensors=True
            )
        self._net.allocate_tensors()
        details = {d["name"]: d["index"] for d in self._net.get_tensor_details()}
        self._input = self._net.get_input_details()[0]["index"]
        self._scores = self._net.get_output_details()[0]["index"]
        self._embedding = details[_TENSOR]

    def one(self, window: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Embedding [1024] of 15,600 samples at 16 kHz, and how sure YAMNet is of a piano."""
        self._net.set_tensor(self._input, np.ascontiguousarray(window, np.float32)[None])
        self._net.invoke()
        scores = self._net.get_tensor(self._scores)[0]
        return self._net.get_tensor(self._embedding)[0].copy(), float(scores[_PIANO])

    def at_rate(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Embedding [1024] of the first 0.975 s of samples at `rate`."""
        resampled = samples if rate == RATE else resample(samples, rate, RATE)
        window = np.zeros(WINDOW, np.float32)
        window[: min(WINDOW, resampled.size)] = resampled[:WINDOW]
        return self.one(window)[0]

    def cloud(self, samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float32], float]:
        """Embeddings of all windows that are not quiet, and the mean piano score of them.

        Windows of 0.975 s every 0.48 s; those under -54 dBFS are left out.
        """
        resampled = samples if rate == RATE else resample(samples, rate, RATE)
        points, scores = [], []
        for at in range(0, resampled.size - WINDOW + 1, HOP):
            window = resampled[at : at + WINDOW]
            if level_db(window) < QUIET_DB:
                continue
            point, score = self.one(window)
            points.append(point)
            scores.append(score)
        if not points:
            return np.zeros((0, 1024), np.float32), 0.0
        return np.stack(points), float(np.mean(scores))


class Frechet:
    """Frechet distance of clouds of points to one reference, on its first principal axes.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al. 2017, eq. 6), after projection on
    the `axes` directions in which the reference varies most. It is biased upwards for small
    clouds: compare clouds of equal size.

    Parameters
    ----------
    reference : [points, dimensions]; more points than axes.
    axes : at most the dimensions.

    Raises
    ------
    ConfigError
        When the reference has too few points.
    """

    def __init__(self, reference: NDArray[np.float32], axes: int = 128) -> None:
        if len(reference) <= axes:
            raise ConfigError(
                f"a reference of {len(reference)} windows for {axes} axes: take more audio "
                "or fewer axes (--axes)"
            )
        points = reference.astype(np.float64)
        self._centre = points.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov(points, rowvar=False))
        self._axes = vectors[:, ::-1][:, :axes]
        projected = (points - self._centre) @ self._axes
        self._covariance = np.cov(projected, rowvar=False).reshape(axes, axes)
        self._root = _square_root(self._covariance)

    def distance(self, points: NDArray[np.float32]) -> float:
        """Distance of a cloud [points, dimensions] to the reference; NaN for under two points."""
        if len(points) < 2:
            return float("nan")
        projected = (points.astype(np.float64) - self._centre) @ self._axes
        mean = projected.mean(axis=0)
        covariance = np.cov(projected, rowvar=False).reshape(self._covariance.shape)
        # tr (C1 C2)^(1/2) through the symmetric C1^(1/2) C2 C1^(1/2), which has its eigenvalues.
        both = np.linalg.eigvalsh(self._root @ covariance @ self._root)
        cross = np.sqrt(np.maximum(both, 0.0)).sum()
        traces = np.trace(self._covariance) + np.trace(covariance)
        return float(mean @ mean + traces - 2.0 * cross)


def _square_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def cosine_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """1 - cos of the angle between two vectors; 1 where one of them is zero."""
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return 1.0 - float(a @ b) / norms if norms > 0.0 else 1.0
