"""The material of all measurements: held-out pieces, a real recording, generated streams.

Samples are float32 [samples] mono at the pack's rate. A generated stream consists of blocks of
`engine.stream.walk.PlanWalk` through the mixer's limiter, sample for sample the output of
`Instrument.render` (tests/benchmarks compares them), with the places of its seams.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.embedding import QUIET_DB, level_db
from engine.audio.limiter import Limiter
from engine.controls.settings import Settings
from engine.errors import ConfigError
from engine.execution.executor import Executor, make_executor
from engine.execution.onnx_graph import open_graph
from engine.notes.note import Note
from engine.notes.transcription import Transcriber
from engine.pack_settings import control_table, settings_for
from engine.packs.discovery import find_pack
from engine.packs.files import load_arrays
from engine.packs.manifest import Manifest
from engine.packs.plan import Plan
from engine.packs.read import read_manifest
from engine.representations.kinds import make_representation
from engine.representations.signals import Signal
from engine.resample import resample
from engine.stages.request import Request
from engine.stream.requests import request_from
from engine.stream.walk import PlanWalk
from engine.time.tempo_map import Pace

Samples = NDArray[np.float32]
RECORDING = "kimiko_ishizaka_bwv849_fugue_CC0.ogg"


class Held:
    """The held-out pieces of a dataset folder built by `python -m training.data.build`.

    Raises
    ------
    ConfigError
        When the folder is no dataset or of another rate than the pack.
    """

    def __init__(self, folder: Path, rate: int) -> None:
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            self._audio = np.load(folder / "held.npy", mmap_mode="r")
        except FileNotFoundError as error:
            raise ConfigError(
                f"{error.filename}: missing. Build a dataset with 'python -m training.data.build' "
                "and use --held with its folder."
            ) from error
        if index["rate"] != rate:
            raise ConfigError(f"{folder} holds {index['rate']} Hz; the pack plays {rate} Hz")
        self.rate = rate
        self.pieces = [p for p in index["pieces"] if p["split"] == "held"]

    def cut(self, piece: int, at: int, samples: int) -> Samples:
        """`samples` from sample `at` of a piece; shorter at its end."""
        p = self.pieces[piece]
        at = min(max(at, 0), p["length"])
        stop = p["offset"] + min(at + samples, p["length"])
        return self._audio[p["offset"] + at : stop].astype(np.float32) / 32768.0

    def excerpt(self, piece: int, seconds: float, rng: np.random.Generator) -> tuple[int, Samples]:
        """A random place of a piece that is nowhere silent for a second: (sample, samples)."""
        need = round(seconds * self.rate)
        free = self.pieces[piece]["length"] - need
        if free < 0:
            raise ConfigError(
                f"piece {self.pieces[piece]['name']} is shorter than the {seconds:g} s wanted"
            )
        best: tuple[float, int, Samples] | None = None
        for _ in range(12):
            at = int(rng.integers(0, free + 1))
            x = self.cut(piece, at, need)
            parts = np.array_split(x, max(1, round(seconds)))
            least = min(level_db(part) for part in parts)
            if best is None or least > best[0]:
                best = (least, at, x)
            if least > QUIET_DB + 10:
                break
        assert best is not None
        return best[1], best[2]

    def longer_than(self, seconds: float) -> list[int]:
        """Indices of the pieces of at least that length."""
        need = round(seconds * self.rate)
        return [i for i, p in enumerate(self.pieces) if p["length"] >= need]

    def minutes(self, pieces: list[int], count: int, rng: np.random.Generator) -> list[Samples]:
        """`count` excerpts of a minute, taken from the pieces in turn."""
        return [self.excerpt(pieces[i % len(pieces)], 60.0, rng)[1] for i in range(count)]

    def halves(self, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """The pieces of a minute and more, divided by chance into two halves."""
        order = [int(i) for i in rng.permutation(self.longer_than(60.0))]
        return order[: len(order) // 2], order[len(order) // 2 :]


def recording(folder: Path, rate: int) -> Samples:
    """The real recording of the evaluation folder, mono.

    Raises
    ------
    ConfigError
        When it is not there.
    """
    path = folder / RECORDING
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file. Use --eval-folder with the folder of {RECORDING}."
        )
    audio, own = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(audio.mean(axis=1), own, rate)


@dataclass(frozen=True)
class Stream:
    """A generated stream.

    Attributes
    ----------
    samples : after the limiter, with its delay removed.
    joints : sample at which each block but the first begins in the generator's output.
    crossing : samples from a joint to the middle of the passage from old frames to new.
    evaluations : of the network, over the whole stream.
    cost : process time, seconds per second of audio.
    """

    samples: Samples
    joints: list[int]
    crossing: int
    evaluations: int
    cost: float


@dataclass(frozen=True)
class StreamRequest:
    """The controls with which every block of a stream is requested."""

    settings: Settings

    def changed(self, **controls: Any) -> StreamRequest:
        """The same with other controls."""
        return replace(self, settings=self.settings.changed(controls))

    def block(self, plan: Plan, index: int, *, whole: bool = False) -> Request:
        """The request of one block; `whole`: all of it is kept, whatever the stride."""
        stride = 1.0 if whole else self.settings.number("stride")
        steps = int(self.settings.number("steps"))
        return request_from(plan, self.settings, index, steps, stride, Pace())

    def __str__(self) -> str:
        s = self.settings
        return f"sampler {s['sampler']}, {s['steps']} steps"


class Source:
    """Generates streams with one pack whose sound is decoded from spectra; its graphs stay open.

    Parameters
    ----------
    pack : name or folder.
    threads : of ONNX Runtime.

    Attributes
    ----------
    spectrum : the signal that is decoded.
    hop, window : of its frames, in samples.
    tail : frames that the decoder keeps back.

    Raises
    ------
    ConfigError
        The sound of the pack is not decoded from spectra.
    """

    def __init__(self, pack: str, threads: int = 1) -> None:
        executor = make_executor("cpu", threads, flush_denormals=True)
        self._open(read_manifest(find_pack(pack)), executor)

    def _open(self, manifest: Manifest, executor: Executor) -> None:
        self.manifest, self._executor = manifest, executor
        last = manifest.producer(manifest.output)
        source = last.inputs[0].signal if last and last.kind == "transform" else manifest.output
        self.spectrum: Signal = manifest.signal(source)
        hop = self.spectrum.grid.samples
        if hop is None or "window" not in self.spectrum.options:
            raise ConfigError(
                f"pack {manifest.name!r}: its sound is not decoded from spectra. These benchmarks "
                "measure only packs that decode spectra."
            )
        self.hop, self.window = int(hop), int(self.spectrum.options["window"])
        load = partial(load_arrays, manifest)
        self._representation = make_representation(self.spectrum, manifest.rate, load)
        self.tail = self._representation.decoder().tail
        self._walk = PlanWalk(manifest, executor)
        self._walk.warm_up()
        self._fresh = self._walk.state()
        self.plan: Plan = self._walk.plan

    def rescheduled(self, **options: float) -> Source:
        """The same pack with other options of its first stage's noise schedule.

        Those that are None stay.
        """
        changed = {k: v for k, v in options.items() if v is not None}
        first = self.manifest.sampled[0]
        schedule = {**first.sampling.schedule_options, **changed}
        other = replace(first, sampling=replace(first.sampling, schedule_options=schedule))
        stages = tuple(other if stage is first else stage for stage in self.manifest.stages)
        new = object.__new__(Source)
        new._open(replace(self.manifest, stages=stages), self._executor)
        return new

    def walk(self) -> PlanWalk:
        """The walk, as before its first block. There is one, so a stream ends the one before."""
        self._walk.restore(self._fresh)
        return self._walk

    def request(self, **controls: Any) -> StreamRequest:
        """The default controls, except for those that are not None.

        Raises
        ------
        ConfigError
            For a control that this pack does not have.
        """
        changed = {k: v for k, v in controls.items() if v is not None}
        settings = Settings.defaults(control_table(self.manifest))
        return StreamRequest(settings_for(settings, self.manifest, 1.0).changed(changed))

    @property
    def crossing(self) -> int:
        """Samples from where a block begins to the middle of the passage from old frames to new."""
        return self.tail * self.hop + (self.window - self.hop) // 2

    def stream(self, seconds: float, request: StreamRequest, past: Samples | None = None) -> Stream:
        """Generate at least `seconds` of sound, from nothing or continuing `past`.

        With a past, the stream begins where the past ends (replaced samples of the past are cut).
        """
        walk, rate = self.walk(), self.manifest.rate
        if past is not None:
            walk.continue_from(past[:, None], self._notes_in(past))
        began, parts, joints, length, evaluations = time.process_time(), [], [], 0, 0
        index = 0
        while length < round(seconds * rate):
            whole = index == 0 and past is None
            block = walk.make(request.block(self.plan, index, whole=whole))
            if index:
                joints.append(length)
            kept = block.samples[block.rewind :, 0]
            parts.append(kept)
            length += kept.size
            evaluations += block.evaluations
            index += 1
        samples = limited(np.concatenate(parts), rate)
        cost = (time.process_time() - began) / (length / rate)
        return Stream(samples, joints, self.crossing, evaluations, cost)

    def _notes_in(self, sound: Samples) -> list[Note]:
        """The notes that the pack's transcription finds, as when a player continues a recording."""
        m = self.manifest
        if not m.has_notes or not m.transcription:
            return []
        return Transcriber(open_graph(m, m.transcription)).notes(sound, m.rate)

    def alone(self, count: int, request: StreamRequest) -> Samples:
        """`count` blocks without a past, butt-joined: the control of seams.

        Each is cut after its fade-in, so that a join is no gap.
        """
        parts = []
        seed = int(request.settings.number("seed"))
        for index in range(count):
            other = request.changed(seed=seed + 1 + index)
            block = self.walk().make(other.block(self.plan, index, whole=True))
            parts.append(block.samples[self.window :, 0])
        return limited(np.concatenate(parts), self.manifest.rate)

    def decoded(self, samples: Samples) -> Samples:
        """True audio through the pack's representation and phase: the decoder's ceiling."""
        decoder, frames = self._representation.decoder(), self.plan.block_samples // self.hop
        x = self._representation.encode(samples[None])
        parts = [decoder.push(x[:, n : n + frames])[0] for n in range(0, x.shape[1], frames)]
        whole = np.concatenate([*parts, decoder.flush()[0]])
        return limited(whole[: samples.size], self.manifest.rate)


def limited(samples: Samples, rate: int) -> Samples:
    """Mono samples after the mixer's limiter, its delay removed."""
    limiter = Limiter(rate, 1)
    padded = np.concatenate([samples, np.zeros(limiter.latency, np.float32)])[:, None]
    return limiter.process(np.ascontiguousarray(padded))[limiter.latency :, 0]


def white_noise(samples: int, level: float, rng: np.random.Generator) -> Samples:
    """White noise at `level` dBFS."""
    noise = rng.standard_normal(samples).astype(np.float32)
    return np.clip(noise * np.float32(10 ** (level / 20)), -1.0, 1.0)
