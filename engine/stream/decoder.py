"""From the last stage's frames to samples: the representation, then the phase.

Owned by the generator's thread. Samples are float32 [frames] at the pack's rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.packs.files import load_arrays
from engine.packs.manifest import Manifest
from engine.signal.log_magnitude import LogMagnitude
from engine.signal.phase_stream import DEFAULT_PHASE, make_phase
from engine.signal.stft import Stft

Array = NDArray[np.float32]
_WILDEST = 6.0  # frames are of deviation 0.5; what lies further out is a network gone astray


class Decoder:
    """Columns of ln magnitude to a stream of samples, and back for a past that is audio.

    Raises
    ------
    PackError
        When the pack's mean cannot be read or has the wrong shape.
    """

    def __init__(self, manifest: Manifest) -> None:
        r = manifest.representation
        self.stft = Stft(r.window, r.hop)
        self._coding = LogMagnitude(self.stft, r.bins, r.floor, _mean(manifest), r.scale)
        self._phase = make_phase(r.phase or DEFAULT_PHASE, self.stft)
        self._frames = manifest.sound.frames
        self.reset()

    @property
    def clipped(self) -> int:
        """How many magnitudes had to be held to the ceiling since the start."""
        return self._coding.clipped

    def reset(self) -> None:
        """Begin a new stream."""
        self._phase.prepare(self._frames)

    def prime(self, samples: Array, frames: int) -> tuple[Array, int]:
        """Go on from real sound; what is shorter than the columns asked for follows silence.

        Returns
        -------
        columns : ndarray [shape=(bins, frames)]
            Of the sound's end, in the network's scale.
        rewind : int
            How many of the last samples the next ones stand in place of, fading from them.
        """
        need = self.stft.samples_of(max(frames, self._frames))
        recent = np.zeros(need, np.float32)
        taken = samples[-need:]
        recent[need - len(taken) :] = taken
        columns = self._coding.encode(np.abs(self.stft.forward(recent)).astype(np.float32))
        self.reset()
        return columns[:, columns.shape[1] - frames :], self._phase.prime(recent)

    @staticmethod
    def tame(block: Array) -> None:
        """Make every value of a block one that can be played, in place."""
        np.nan_to_num(block, copy=False, nan=0.0, posinf=_WILDEST, neginf=-_WILDEST)
        np.clip(block, -_WILDEST, _WILDEST, out=block)

    def push(self, block: Array) -> Array:
        """Decode columns [bins, frames]; returns the samples that are ready."""
        return self._phase.push(self._coding.decode(block))


def _mean(manifest: Manifest) -> Array:
    return np.asarray(load_arrays(manifest, manifest.representation.mean), np.float32)
