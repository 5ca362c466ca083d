"""The shipped piano plays today what it played when tests/data/piano/played.npz was written.

Notes, spectra and levels are stored, not samples: phase reconstruction amplifies a difference of
1e-7 in a spectrum until it is of the size of the sound, and processors differ in the last bits.
(On one machine all samples are compared: `python -m benchmarks.same_samples`.) Where a change of
the music is intended, write the file again: `python -m tests.engine.stream.test_stored_samples`.
"""

from pathlib import Path

import numpy as np

from engine.execution.executor import make_executor
from engine.notes.note import Note
from engine.packs.read import read_manifest
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk

ROOT = Path(__file__).parents[3]
STORED = ROOT / "tests" / "data" / "piano" / "played.npz"
TOLERANCE = 1e-4  # of frames in which full scale is about 1; another order of sums: 5e-6
LEVEL = 0.5  # dB of a block; another order of sums: 0.1
CHORD = {"harmony": (1, 0, 0, 0, 1, 0, 0, 0.5, 0, 0, 0, 0), "density": 6.0, "held": (48,)}


def played() -> dict[str, np.ndarray]:
    """Three seconds: free, with a chord and a held key, a phrase; whole blocks and shorter ones."""
    walk = PlanWalk(read_manifest(ROOT / "packs" / "piano"), make_executor(flush_denormals=True))
    spectra, notes, levels = [], [], []
    for index in range(6):
        if index == 4:
            walk.play([Note(60, 90, 0.0, 0.3), Note(67, 80, 0.3, 0.6)])
        request = make_request(
            walk.plan, index, seed=1, stride=1.0 if index in (0, 4) else 0.625, guidance=1.5,
            controls={} if index < 2 else CHORD,
        )  # fmt: skip
        block = walk.make(request)
        notes += [(index, n.pitch, n.velocity, n.offset) for n in block.notes]
        levels.append(10 * np.log10(np.mean(np.square(block.samples))))
        spectra.append(walk.state()["log/sound/frames"][::2, -12:])
    return {"spectra": np.array(spectra), "notes": np.array(notes), "levels": np.array(levels)}


def test_the_shipped_piano_plays_what_it_played_before():
    stored, now = np.load(STORED), played()
    np.testing.assert_array_equal(now["notes"][:, :2], stored["notes"][:, :2])
    np.testing.assert_allclose(now["notes"][:, 2:], stored["notes"][:, 2:], atol=1)
    assert np.abs(stored["spectra"]).max() > 1
    np.testing.assert_allclose(now["spectra"], stored["spectra"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(now["levels"], stored["levels"], rtol=0, atol=LEVEL)


if __name__ == "__main__":
    np.savez_compressed(STORED, **played())
