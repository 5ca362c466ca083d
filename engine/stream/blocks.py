"""Makes blocks: every stage in turn, then the decoder. Lives in the generator process.

One thread owns it. Samples are float32 [frames, channels] at the pack's rate. Nothing here knows
of time: the same requests give the same samples.

A stage that hears frames beyond its own block (`lookahead`) stands that much behind the stage it
listens to: of notes that are made up to token T, the sound is made up to token T - lookahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.packs.manifest import Manifest
from engine.packs.sessions import Sessions
from engine.signal.roll import Note, silence
from engine.stream.decoder import Decoder
from engine.stream.notes_track import NotesTrack, TimedNote
from engine.stream.stages import Request, StageRunner

__all__ = ["BlockMaker", "Made", "Request", "TimedNote"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """One block as samples.

    `rewind`: how many samples already given it stands in place of. `notes` are timed from its
    first sample; they may lie beyond its last one, as notes are known before they sound. `faults`
    says what was wrong with what the networks answered, one line each.
    """

    samples: Array
    evaluations: int
    frames: int
    rewind: int = 0
    notes: tuple[TimedNote, ...] = ()
    faults: tuple[str, ...] = ()


def _nothing(_: str) -> None:
    pass


class BlockMaker:
    """Continues a stream block by block.

    Parameters
    ----------
    manifest, sessions : the pack, verified, and its open graphs.
    announce : called with the name of each part of the work before it is done.

    Raises
    ------
    PackError
        When the pack's mean has the wrong shape.
    """

    def __init__(
        self,
        manifest: Manifest,
        sessions: Sessions,
        announce: Callable[[str], object] = _nothing,
    ) -> None:
        self._manifest, self._announce = manifest, announce
        self._decoder = Decoder(manifest)
        self._runners = [
            StageRunner(
                manifest, s, i,
                np.reshape(silence(1), (-1, 1)) if s.stage.represents == "notes"
                else np.zeros((s.shape[0], 1), np.float32),
                announce,
            )
            for i, s in enumerate(sessions.stages)
        ]  # fmt: skip
        self._sound = self._runners[-1]
        self._notes: NotesTrack | None = None
        if manifest.notes is not None:
            stage = manifest.notes
            self._notes = NotesTrack(stage.hop, manifest.rate, stage.frames)
        self._behind = sum(
            s.lookahead * manifest.hop(manifest.notes)
            for s in manifest.stages
            if manifest.notes is not None and s.after == manifest.notes.name
        )
        self._rewind = 0
        self._origin = -self._behind  # of the next sample, in the notes' time

    @property
    def clipped(self) -> int:
        """How many magnitudes the decoder had to hold to the ceiling since the start."""
        return self._decoder.clipped

    def reset(self) -> None:
        """Forget the past: the next block begins a new piece."""
        for runner in self._runners:
            runner.forget()
        if self._notes is not None:
            self._notes.forget()
        self._decoder.reset()
        self._rewind = 0
        self._origin = -self._behind

    def continue_from(self, samples: Array, notes: Sequence[Note] = ()) -> None:
        """Take real audio [frames, channels] as the past: its spectrum, its phase, its notes.

        `notes` are timed in seconds from the first sample; a pack without a notes stage has no
        use for them. The next block stands in place of the last `rewind` samples, fading from
        them.
        """
        mono = samples.mean(axis=1) if samples.ndim == 2 else samples
        self.reset()
        columns, self._rewind = self._decoder.prime(mono, self._sound.past_length)
        self._sound.keep(columns)
        if self._notes is None:
            return
        r = self._manifest.representation
        tail = r.window - r.hop  # the next column begins this far before the end
        end = len(mono) - tail + self._behind
        runner = self._runners[0]
        runner.keep(self._notes.past(notes, end / self._manifest.rate, runner.past_length))
        self._origin = self._notes.now - self._behind + tail - self._rewind

    def answer(self, notes: Sequence[Note]) -> None:
        """Take a phrase, unheard, as what the music goes on from: the notes' past is this alone."""
        if self._notes is None:
            return
        runner = self._runners[0]
        before = self._notes.now
        end = max((n.end for n in notes), default=0.0)
        runner.keep(self._notes.past(notes, end, runner.past_length))
        self._origin += self._notes.now - before

    def play(self, notes: Sequence[Note]) -> None:
        """Have a phrase made as it is, and go on from it."""
        if self._notes is not None:
            self._notes.play(list(notes))

    def make(self, request: Request) -> Made:
        """Sample the next block and turn it into samples.

        Raises
        ------
        ConfigError
            For a value the sampler cannot take; the stream is as it was before.
        """
        for runner in self._runners:
            runner.table(request)  # refuses here what cannot be, before anything has moved
        share = self._share(request.stride)
        made: dict[str, Array] = {}
        notes: tuple[TimedNote, ...] = ()
        kept: list[tuple[StageRunner, Array]] = []
        faults: list[str] = []
        for runner in self._runners:
            stage = runner.stage
            if stage.represents == "notes" and self._notes is not None:
                tokens = round(share * stage.frames)
                block, notes = self._notes_block(runner, request, tokens, faults)
            else:
                block = runner.run(request, self._others(runner, made))
                _check(block, runner, faults)
                Decoder.tame(block)
            made[stage.name] = block
            kept.append((runner, block[:, : round(share * stage.frames)]))
        self._announce("decode")
        samples = self._decoder.push(kept[-1][1])
        for runner, block in kept:
            runner.keep(block)
        self._origin += len(samples)
        rewind, self._rewind = self._rewind, 0
        evaluations = sum(runner.evaluations for runner in self._runners)
        frames = kept[-1][1].shape[1]
        return Made(samples[:, None], evaluations, frames, rewind, notes, tuple(faults))

    def _notes_block(
        self, runner: StageRunner, request: Request, tokens: int, faults: list[str]
    ) -> tuple[Array, tuple[TimedNote, ...]]:
        assert self._notes is not None
        block = self._notes.given()
        if block is None:
            block = runner.run(request, {}, self._notes.held(runner.held_keys(request)))
            _check(block, runner, faults)
        return self._notes.read(block, tokens, self._origin)

    def _others(self, runner: StageRunner, made: dict[str, Array]) -> dict[str, Array]:
        """The frames of the earlier stage that this one hears, made just before."""
        stage = runner.stage
        if not stage.after:
            return {}
        other = next(r for r in self._runners if r.stage.name == stage.after)
        return {stage.after: other.window(stage.history + stage.lookahead, made[stage.after])}

    def _share(self, stride: float) -> float:
        """How much of a block is kept; all of the first one, so that there is a whole past.

        A whole number of the first stage's frames, as those of later stages are finer.
        """
        whole = self._runners[0].stage.frames
        if not self._sound.has_past or (self._notes is not None and self._notes.in_phrase):
            return 1.0
        least = 1 if self._notes is not None else min(4, whole)
        return max(least, min(whole, round(stride * whole))) / whole


def _check(block: Array, runner: StageRunner, faults: list[str]) -> None:
    """Note a block that is no numbers: what is made of it is silence, or held sound."""
    if not np.isfinite(block).all():
        faults.append(f"stage {runner.stage.name!r} answers values that are no numbers")
