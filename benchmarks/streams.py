"""Generated streams on disk: generated once, then cut, measured and pictured by many parts.

A stream is generated block by block without real time, through the mixer's limiter, and written as
24-bit FLAC [samples] mono at the pack's rate, with a JSON of its notes, seams and counts beside it.
The file's name holds a digest of the pack, the engine's code, the controls and the length, so the
same stream is generated once. Places are samples of the stream. One owner thread.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

import engine as engine_package
from benchmarks.material import Source, StreamRequest
from engine.audio.limiter import Limiter
from engine.notes.note import Note

Samples = NDArray[np.float32]
_FOLDERS = (  # of the engine, on which the samples of a stream depend
    "controls", "execution", "packs", "representations", "sampling", "stages", "stream",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """The data beside the sound of a stream.

    Attributes
    ----------
    rate : samples per second.
    length : samples.
    joints : sample at which each block but the first begins in the generator's output.
    crossing : samples from a joint to the middle of the passage from old frames to new.
    events : (sample, pitch, velocity) of every note message, velocity 0 for up.
    evaluations : network evaluations over the whole stream.
    cost : process time, seconds per second of sound.
    not_finite : samples that were not finite.
    over : samples over full scale before the limiter.
    clipped : samples at full scale after it.
    """

    rate: int
    length: int
    joints: list[int]
    crossing: int
    events: list[tuple[int, int, int]]
    evaluations: int
    cost: float
    not_finite: int
    over: int
    clipped: int


@dataclass(frozen=True)
class Played:
    """A stream on disk."""

    path: Path
    kept: Kept

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.kept.rate

    def cut(self, begin: float = 0.0, seconds: float | None = None) -> Samples:
        """Sound [samples] from `begin` seconds on; all of it by default."""
        start = min(round(begin * self.rate), self.kept.length)
        stop = None if seconds is None else start + round(seconds * self.rate)
        samples, _ = soundfile.read(self.path, dtype="float32", start=start, stop=stop)
        return np.asarray(samples, np.float32)

    def pieces(self, seconds: float = 60.0) -> Iterator[Samples]:
        """The sound from its beginning, in pieces of this length."""
        with soundfile.SoundFile(self.path) as file:
            for samples in file.blocks(round(seconds * self.rate), dtype="float32"):
                yield np.asarray(samples, np.float32)

    def notes(self) -> list[Note]:
        """The notes that were sent, seconds; one that never ended ends with the stream."""
        return paired(self.kept.events, self.rate, self.kept.length)[0]


def paired(
    events: list[tuple[int, int, int]], rate: int, length: int
) -> tuple[list[Note], list[Note], int]:
    """(all notes by start, those never released, how often a sounding key was struck again)."""
    down: dict[int, tuple[int, int]] = {}
    notes: list[Note] = []
    struck_again = 0

    def ended(pitch: int, at: int) -> Note:
        start, velocity = down.pop(pitch)
        return Note(pitch, velocity, start / rate, max(at, start) / rate)

    for at, pitch, velocity in sorted(events, key=lambda e: (e[0], e[2])):
        if pitch in down:
            struck_again += velocity > 0
            notes.append(ended(pitch, at))
        if velocity > 0:
            down[pitch] = (at, velocity)
    never = [ended(pitch, length) for pitch in list(down)]
    return sorted([*notes, *never], key=lambda n: (n.start, n.pitch)), never, struck_again


@functools.cache
def _code() -> str:
    """Digest of the code that generates sound."""
    engine = Path(engine_package.__file__ or "").parent
    files = [p for name in _FOLDERS for p in sorted((engine / name).glob("*.py"))]
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


def digest(source: Source, seconds: float, plan: str) -> str:
    """Twelve letters that depend on the pack, the code, the length and the controls."""
    levels = [stage.sampling.schedule_options for stage in source.manifest.sampled]
    whole = repr((sorted(source.manifest.files.items()), levels, _code(), seconds, plan))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def play(
    source: Source,
    folder: Path,
    name: str,
    seconds: float,
    request: StreamRequest,
    each: Callable[[int, StreamRequest], StreamRequest] | None = None,
    plan: str = "",
) -> Played:
    """Generate `seconds` of sound from nothing, or read it from `folder` if it is there.

    Parameters
    ----------
    name : begins the file's name, for people.
    request : of every block.
    each : changes the request of a block, given its index.
    plan : describes `each`; a stream with another plan is another stream.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{digest(source, seconds, f'{request!r} {plan}')}.flac"
    beside = path.with_suffix(".json")
    if path.is_file() and beside.is_file():
        raw = json.loads(beside.read_text(encoding="utf-8"))
        return Played(path, Kept(**{**raw, "events": [tuple(e) for e in raw["events"]]}))
    began, clock = time.process_time(), time.perf_counter()
    kept = _generate(source, path, seconds, request, each or (lambda _, r: r))
    kept = replace(kept, cost=(time.process_time() - began) / (kept.length / kept.rate))
    beside.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    taken = time.perf_counter() - clock
    print(f"{name}: {seconds:g} s generated in {taken:.0f} s ({kept.cost:.3f} s per s)", flush=True)
    return Played(path, kept)


def _generate(
    source: Source,
    path: Path,
    seconds: float,
    request: StreamRequest,
    each: Callable[[int, StreamRequest], StreamRequest],
) -> Kept:
    walk, rate = source.walk(), source.manifest.rate
    limiter = Limiter(rate, 1)
    joints: list[int] = []
    events: list[tuple[int, int, int]] = []
    length = evaluations = not_finite = over = clipped = index = 0
    late = limiter.latency  # samples of the limiter's delay that are still to be dropped
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_24") as file:

        def write(x: NDArray[np.float32]) -> int:
            nonlocal late
            y = limiter.process(np.ascontiguousarray(x[:, None]))[:, 0]
            y, late = y[min(late, y.size) :], max(0, late - y.size)
            file.write(y)
            return int(np.sum(np.abs(y) >= 0.9999))

        while length < round(seconds * rate):
            wanted = each(index, request)
            block = walk.make(wanted.block(source.plan, index, whole=not index))
            if index:
                joints.append(length)
            first = length - block.rewind
            events += [(first + n.offset, n.pitch, n.velocity) for n in block.notes]
            x = block.samples[block.rewind :, 0]
            bad = ~np.isfinite(x)
            not_finite += int(bad.sum())
            x = np.where(bad, np.float32(0.0), x)
            over += int(np.sum(np.abs(x) > 1.0))
            clipped += write(x)
            length += x.size
            evaluations += block.evaluations
            index += 1
        clipped += write(np.zeros(limiter.latency, np.float32))
    return Kept(
        rate, length, joints, source.crossing, events, evaluations, 0.0, not_finite, over, clipped
    )  # fmt: skip
