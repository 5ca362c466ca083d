"""Shared by all parts of `benchmarks.quality`: the pack, the held-out pieces, the yardstick.

Each is opened when it is first used, so that a part pays only for its own. Clouds are float32
[windows, 1024], YAMNet's embeddings of 0.975 s every 0.48 s. Times in seconds. Main thread only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedding import Embedder, Frechet
from benchmarks.material import Held, Samples, Source, StreamRequest
from benchmarks.sampled import SampledPianos
from benchmarks.streams import Played, play
from engine.errors import ConfigError
from engine.notes.note import Note
from engine.notes.transcription import Transcriber
from engine.onnx_runtime import open_session

Cloud = NDArray[np.float32]
TRANSCRIPTION = "basic_pitch_nmp.onnx"
WINDOWS = 1000  # 8 minutes
SECOND = 0.3  # share of the data's pieces on the second instrument


@dataclass(frozen=True)
class Yardstick:
    """Distances to one half of the held-out works, in units of the other half's distance.

    The Frechet distance shrinks with the size of a cloud, and that between two halves of the same
    works more than others. So the unit is measured for each size, with as many windows of the other
    half; and clouds are thinned to `WINDOWS`, where white noise is about 55 units away.
    """

    reference: Frechet
    others: Cloud

    def trimmed(self, cloud: Cloud) -> Cloud:
        """The cloud thinned evenly to `WINDOWS`, or to the size of the other half."""
        return thinned(cloud, min(len(cloud), len(self.others), WINDOWS))

    def unit(self, windows: int) -> float:
        """Distance of the other half at this number of windows."""
        return self.reference.distance(self.others[:windows])

    def units(self, cloud: Cloud) -> tuple[float, float]:
        """(distance in units, distance) of a cloud.

        Raises
        ------
        ConfigError
            When it is all quiet, or too short for a distance.
        """
        points = self.trimmed(cloud)
        if len(points) < 10:
            raise ConfigError(f"{len(points)} windows of sound: too few, or all of it is quiet")
        distance = self.reference.distance(points)
        return distance / self.unit(len(points)), distance


def thinned(cloud: Cloud, count: int) -> Cloud:
    """`count` of the points, evenly spaced."""
    return cloud[np.linspace(0, len(cloud) - 1, count).round().astype(int)]


class Workbench:
    """Opens and keeps what the parts share.

    Parameters
    ----------
    args : of `benchmarks.quality`.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.folder: Path = args.work

    @cached_property
    def source(self) -> Source:
        """The pack that is measured."""
        return Source(self.args.pack, self.args.threads)

    @cached_property
    def embedder(self) -> Embedder:
        """YAMNet."""
        return Embedder(self.args.eval_folder)

    @cached_property
    def transcriber(self) -> Transcriber:
        """basic-pitch."""
        path = self.args.eval_folder / TRANSCRIPTION
        return Transcriber(open_session(str(path), path.read_bytes()))

    @cached_property
    def held(self) -> Held:
        """The held-out works, at the pack's rate."""
        return Held(self.args.held, self.source.manifest.rate)

    @cached_property
    def halves(self) -> tuple[list[int], list[int]]:
        """Pieces of the reference, and the others."""
        return self.held.halves(np.random.default_rng(self.args.seed))

    def minutes(self, half: int, count: int) -> list[Samples]:
        """The same minutes of one half of the held-out works each time."""
        rng = np.random.default_rng([self.args.seed, half])
        return self.held.minutes(self.halves[half], count, rng)

    @cached_property
    def yardstick(self) -> Yardstick:
        """Measured once, then kept in the work folder."""
        a = self.args
        name = f"{a.held.name}-{self.held.rate}-{a.reference_minutes}-{a.seed}"
        clouds = [
            self.kept_cloud(f"held-{name}-{half}", lambda h=half: self._half(h)) for half in (0, 1)
        ]
        return Yardstick(Frechet(clouds[0], a.axes), clouds[1])

    def _half(self, half: int) -> Cloud:
        return self.cloud(*self.minutes(half, self.args.reference_minutes))

    def cloud(self, *parts: Samples, rate: int | None = None) -> Cloud:
        """Embeddings of all windows that are not quiet, part after part."""
        at = rate or self.source.manifest.rate
        return np.concatenate([self.embedder.cloud(x, at)[0] for x in parts])

    def kept_cloud(self, name: str, make: Callable[[], Cloud]) -> Cloud:
        """A cloud that is computed once and then read from the work folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            np.save(path, make())
        return np.load(path)

    def cloud_of(self, stream: Played, begin: float = 0.0, seconds: float | None = None) -> Cloud:
        """Cloud of a stretch of a stream, kept."""
        name = f"{stream.path.stem}-{begin:g}-{'end' if seconds is None else f'{seconds:g}'}"
        return self.kept_cloud(
            name, lambda: self.cloud(stream.cut(begin, seconds), rate=stream.rate)
        )

    # ---------------------------------------------------------------- generated

    def has_control(self, control: str) -> bool:
        """Whether the pack has a control."""
        return any(c.short == control for c in self.source.manifest.controls)

    def request(self, seed: int, **changes: Any) -> StreamRequest:
        """The default controls, except for `changes`, the seed and the options of the command."""
        a = self.args
        own = {"steps": a.steps, "sampler": a.sampler, "guidance": a.guidance, "seed": seed}
        return self.source.request(**{**own, **changes})

    def play(self, name: str, seconds: float, request: StreamRequest, **how: Any) -> Played:
        """A stream of the pack; see `benchmarks.streams.play`."""
        return play(self.source, self.folder, name, seconds, request, **how)

    def timbre(self, stream: int) -> dict[str, float]:
        """Instrument, room and tone of a stream."""
        rng = np.random.default_rng([self.args.seed, 7, stream])
        return {
            "instrument": float(rng.random() < SECOND), "room": round(float(rng.random()), 3),
            "brightness": round(float(rng.uniform(-1, 1)), 3),
        }  # fmt: skip

    @cached_property
    def pianos(self) -> SampledPianos | None:
        """The sampled pianos of the data; None without their kit."""
        if self.args.kit is None:
            return None
        return SampledPianos(self.args.kit, self.source.manifest.rate)

    def streams(self, minutes: float, **changes: Any) -> list[Played]:
        """Streams with instruments, rooms and tones drawn as the data's were, all else free."""
        found = []
        for k in range(self.args.streams):
            timbre = {
                name: value for name, value in self.timbre(k).items() if self.has_control(name)
            }
            wanted = self.request(self.args.seed + k, **timbre, **changes)
            found.append(self.play(f"stream-{k + 1}", minutes * 60, wanted))
        return found

    def notes_of(self, samples: Samples, rate: int | None = None) -> list[Note]:
        """The notes that transcription finds, seconds from the first sample."""
        return self.transcriber.notes(samples, rate or self.source.manifest.rate)
