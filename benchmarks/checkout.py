"""The shipped piano of any checkout of the project, in a process of its own.

A checkout is a folder with `engine/` and `packs/piano/`; this interpreter and its packages run both
sides, so only the project's own code differs. One thread owns a `Checkout`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError

__all__ = ["FREE", "HERE", "Block", "Checkout", "Wanted", "revision"]

HERE = Path(__file__).resolve().parents[1]
FREE: Mapping[str, Any] = {
    "harmony": "free", "register": "free", "density": "free", "loudness": "free", "style": "free",
    "instrument": 0.0, "room": 0.3, "brightness": 0.0,
}  # fmt: skip


def _free() -> Mapping[str, Any]:
    return FREE


@dataclass(frozen=True)
class Wanted:
    """What one block is requested with, in words that every release understands.

    `steps` of the notes; `stride` the share of the block that is kept; `held` keys.
    """

    index: int
    seed: int = 1
    steps: int = 16
    stride: float = 1.0
    sampler: str = "pack"
    temperature: float = 1.0
    guidance: float = 1.5
    controls: Mapping[str, Any] = field(default_factory=_free)
    held: Sequence[int] = ()


@dataclass(frozen=True)
class Block:
    """One block: `samples` [frames] mono, `notes` (offset, pitch, velocity), seconds it took."""

    samples: NDArray[np.float32]
    rewind: int
    notes: list[tuple[int, int, int]]
    wall: float
    processor: float


class Checkout:
    """The piano of a checkout; use it in a `with` statement.

    Raises
    ------
    ConfigError
        The folder is no checkout, or its piano cannot be played.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        for part in ("engine/errors.py", "packs/piano/pack.toml"):
            if not (self.folder / part).is_file():
                raise ConfigError(
                    f"{folder} has no {part}: choose the folder of a checkout of the project"
                )
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(HERE / "benchmarks/checkout_piano.py"), str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1",
                 "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip

    def __enter__(self) -> Checkout:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._out.close()
        self._process.wait(30)

    def do(self, what: str, **fields: Any) -> None:
        """Carry out anything but `make` (see `benchmarks.checkout_piano`)."""
        self._ask({"do": what, **fields})

    def make(self, wanted: Wanted) -> Block:
        """Make the next block."""
        head = self._ask({"do": "make", **asdict(wanted)})
        raw = self._out.read(4 * head["frames"])
        return Block(
            np.frombuffer(raw, np.float32), head["rewind"], [tuple(n) for n in head["notes"]],
            head["wall"], head["processor"],
        )  # fmt: skip

    @property
    def _out(self) -> Any:
        return self._process.stdout

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        line = self._out.readline()
        if not line:
            raise ConfigError(f"the piano of {self.folder} failed (see above)")
        return json.loads(line)


def revision(folder: Path) -> str:
    """The revision of a checkout, or its folder's name where git does not know."""
    command = ["git", "-C", str(folder), "rev-parse", "--short=7", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return folder.resolve().name
    return found.stdout.strip()
