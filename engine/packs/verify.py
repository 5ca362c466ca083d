"""Whether a pack is what it says: sizes, hashes, and its golden vectors run through ONNX Runtime.

Called by the generator before it plays (sizes and hashes) and by `attacca packs` (all of it).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import PackError
from engine.packs.manifest import Manifest
from engine.packs.sessions import Sessions

LARGEST_FILE = 2 << 30  # bytes; a listed file over this is refused unread


def verify_files(manifest: Manifest) -> None:
    """Check that every listed file is there, of sane size, and has its hash.

    Raises
    ------
    PackError
        Naming the first file that is missing or damaged.
    """
    for name, expected in manifest.files.items():
        path = manifest.path(name)
        try:
            size = path.stat().st_size
            if size > LARGEST_FILE:
                raise PackError(f"{path}: {size} bytes is over the bound of {LARGEST_FILE}")
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise PackError(f"{path}: missing from the pack; install the pack again") from None
        except OSError as error:
            raise PackError(f"{path}: cannot be read ({error.strerror})") from error
        if actual != expected:
            raise PackError(
                f"{path}: damaged (SHA-256 {actual[:12]}..., "
                f"the manifest says {expected[:12]}...); install the pack again"
            )


@dataclass(frozen=True)
class SelfTest:
    """Result of running the golden vectors: largest difference over the output's deviation."""

    worst: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether this machine computes what the exporter saw."""
        return self.worst <= self.tolerance


def self_test(manifest: Manifest, sessions: Sessions) -> SelfTest:
    """Run the pack's golden vectors: for every stage an array each of what its context hears, `x`,
    `alpha`, `sigma` and the exporter's `x0`, by the names `STAGE/NAME` (in packs of format 1, which
    have one stage, by `NAME`).

    Raises
    ------
    PackError
        When the vectors cannot be read.
    """
    path = manifest.path(manifest.golden)
    worst = 0.0
    try:
        with np.load(path, allow_pickle=False) as file:
            golden: dict[str, NDArray[Any]] = {k: file[k] for k in file.files}
        for stage in sessions.stages:
            own = stage.stage.name + "/"
            found = {k.removeprefix(own): v for k, v in golden.items() if k.startswith(own)}
            found = found or golden
            for i, (x, x0) in enumerate(zip(found["x"], found["x0"], strict=True)):
                context = stage.context({name: found[name][i] for name in stage.inputs})
                alpha, sigma = float(found["alpha"][i]), float(found["sigma"][i])
                got = stage.denoise(x, alpha, sigma, context)
                worst = max(worst, float(abs(got - x0).max() / x0.std()))
    except (OSError, ValueError, KeyError) as error:
        raise PackError(f"{path}: golden vectors cannot be read ({error})") from error
    return SelfTest(worst, manifest.tolerance)
