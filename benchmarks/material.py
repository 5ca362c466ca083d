"""What is measured: held-out pieces, a real recording, generated streams, and controls.

Samples are float32 [samples] mono at the pack's rate. A generated stream is what a listener hears:
blocks of `engine.stream.blocks.BlockMaker` through the mixer's limiter, sample for sample what
`Instrument.render` writes (tests/benchmarks says so), with the places of its seams known.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.embedding import QUIET_DB, level_db
from engine.audio.limiter import Limiter
from engine.errors import ConfigError
from engine.packs.discovery import find_pack
from engine.packs.files import open_graph
from engine.packs.manifest import Manifest, read_manifest
from engine.packs.sessions import Sessions
from engine.signal.log_magnitude import LogMagnitude
from engine.signal.phase_stream import DEFAULT_PHASE, make_phase
from engine.signal.resample import resample
from engine.signal.roll import Note
from engine.signal.stft import Stft
from engine.signal.transcription import Transcriber
from engine.stream.blocks import BlockMaker, Request
from engine.stream.stages import PACKS_OWN

Samples = NDArray[np.float32]
RECORDING = "kimiko_ishizaka_bwv849_fugue_CC0.ogg"


class Held:
    """The held-out pieces of a dataset folder made by `python -m training.data.build`.

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
                f"{error.filename}: missing; make a dataset with 'python -m training.data.build' "
                "and give its folder with --held"
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
        raise ConfigError(f"{path}: no such file; give --eval-folder with {RECORDING} in it")
    audio, own = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(audio.mean(axis=1), own, rate)


@dataclass(frozen=True)
class Stream:
    """A generated stream.

    Attributes
    ----------
    samples : what is heard, in time with what the generator gave out.
    joints : sample at which each block but the first begins to be given out.
    crossing : samples from a joint to the middle of the passage from old frames to new.
    evaluations : of the network, over the whole stream.
    cost : process time of making it, seconds per second of audio.
    """

    samples: Samples
    joints: list[int]
    crossing: int
    evaluations: int
    cost: float


class Source:
    """Makes streams with one pack; its sessions are opened once.

    Parameters
    ----------
    pack : name or folder.
    threads : of ONNX Runtime.
    schedule : options of the noise schedule in place of the pack's own, to try others.
    """

    def __init__(
        self, pack: str, threads: int = 1, schedule: Mapping[str, float] | None = None
    ) -> None:
        manifest = read_manifest(find_pack(pack))
        sessions = Sessions(manifest, threads, flush_denormals=True)
        sessions.warm_up()
        self.manifest: Manifest = _with_levels(manifest, schedule or {})
        self.sessions = _of_stages(sessions, self.manifest)

    def rescheduled(self, **options: float) -> Source:
        """The same open pack with other schedule options; those that are None stay."""
        new = object.__new__(Source)
        given = {k: v for k, v in options.items() if v is not None}
        new.manifest = _with_levels(self.manifest, given)
        new.sessions = _of_stages(self.sessions, new.manifest)
        return new

    def maker(self) -> BlockMaker:
        """A block maker with nothing behind it."""
        return BlockMaker(self.manifest, self.sessions)

    def request(self, **controls: Any) -> Request:
        """What a player begins with, but for the controls given that are not None; index 0.

        Controls that only some packs have go by their own names, as all others.

        Raises
        ------
        ConfigError
            For a control that this pack does not hear.
        """
        stage = self.manifest.stage
        sampler = stage.sampler if len(self.manifest.stages) == 1 else PACKS_OWN
        base = Request(
            0, stage.steps, sampler, 1, temperature=stage.temperature,
            guidance=stage.default_guidance,
        )  # fmt: skip
        own = {c.short: c for c in self.manifest.controls}
        heard_here = {name: own[name].default for name in sorted(own)}
        given = {k: v for k, v in controls.items() if v is not None}
        for name in [n for n in given if n not in vars(base)]:
            if name not in heard_here:
                raise ConfigError(f"pack {self.manifest.name!r} does not hear {name!r}")
            heard_here[name] = own[name].clip(given.pop(name))
        return replace(base, **{"controls": heard_here, **given})

    def stream(self, seconds: float, request: Request, past: Samples | None = None) -> Stream:
        """Make at least `seconds` of sound, beginning from nothing or continuing `past`.

        With a past, the stream begins where the past ends (what replaces its last samples is cut).
        """
        maker, rate = self.maker(), self.manifest.rate
        stft, frames = self.manifest.representation, self.manifest.sound.frames
        phase = make_phase(stft.phase or DEFAULT_PHASE, Stft(stft.window, stft.hop))
        if past is not None:
            maker.continue_from(past[:, None], self._notes_in(past))
        began, parts, joints, made, evaluations = time.process_time(), [], [], 0, 0
        index = 0
        while made < round(seconds * rate):
            block = maker.make(replace(request, index=index))
            if index:
                joints.append(made)
            kept = block.samples[block.rewind :, 0]
            parts.append(kept)
            made += kept.size
            evaluations += block.evaluations
            index += 1
        assert frames >= phase.latency_frames
        crossing = phase.latency_frames * stft.hop + (stft.window - stft.hop) // 2
        samples = heard(np.concatenate(parts), rate)
        cost = (time.process_time() - began) / (made / rate)
        return Stream(samples, joints, crossing, evaluations, cost)

    def _notes_in(self, sound: Samples) -> list[Note]:
        """What the pack's own ears hear in it, as when a player is given a recording."""
        m = self.manifest
        if m.notes is None or not m.transcription:
            return []
        return Transcriber(open_graph(m, m.transcription)).notes(sound, m.rate)

    def alone(self, count: int, request: Request) -> Samples:
        """`count` blocks that know nothing of each other, butt-joined: the control of seams.

        Each is cut where it has faded in, so that a join is no gap.
        """
        maker, parts = self.maker(), []
        r = self.manifest.representation
        for index in range(count):
            maker.reset()
            made = maker.make(replace(request, index=index, seed=request.seed + 1 + index))
            parts.append(made.samples[r.window :, 0])
        return heard(np.concatenate(parts), self.manifest.rate)

    def decoded(self, samples: Samples) -> Samples:
        """True audio through the pack's representation and phase: the decoder's ceiling."""
        r, frames = self.manifest.representation, self.manifest.sound.frames
        stft = Stft(r.window, r.hop)
        mean = np.load(self.manifest.path(r.mean), allow_pickle=False)
        coding = LogMagnitude(stft, r.bins, r.floor, mean, r.scale)
        phase = make_phase(r.phase or DEFAULT_PHASE, stft)
        phase.prepare(frames)
        x = coding.encode(np.abs(stft.forward(samples)).astype(np.float32))
        parts = [
            phase.push(coding.decode(x[:, n : n + frames])) for n in range(0, x.shape[1], frames)
        ]
        return heard(np.concatenate([*parts, phase.flush()])[: samples.size], self.manifest.rate)


def _with_levels(manifest: Manifest, options: Mapping[str, float]) -> Manifest:
    """A manifest whose first stage has other options of the noise schedule."""
    first, *rest = manifest.stages
    first = replace(first, schedule_options={**first.schedule_options, **options})
    return replace(manifest, stages=(first, *rest))


def _of_stages(sessions: Sessions, manifest: Manifest) -> Sessions:
    """The same open graphs, told that their stages are those of another manifest."""
    new = copy.copy(sessions)
    new.stages = tuple(copy.copy(s) for s in sessions.stages)
    for session, stage in zip(new.stages, manifest.stages, strict=True):
        session.stage = stage
    return new


def heard(samples: Samples, rate: int) -> Samples:
    """What the mixer's limiter makes of mono samples, its delay taken off again."""
    limiter = Limiter(rate, 1)
    padded = np.concatenate([samples, np.zeros(limiter.latency, np.float32)])[:, None]
    return limiter.process(np.ascontiguousarray(padded))[limiter.latency :, 0]


def white_noise(samples: int, level: float, rng: np.random.Generator) -> Samples:
    """White noise at `level` dBFS."""
    noise = rng.standard_normal(samples).astype(np.float32)
    return np.clip(noise * np.float32(10 ** (level / 20)), -1.0, 1.0)
