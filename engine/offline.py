"""Music without a sound card: into a file, an array, or block by block, as fast as it can be made.

`Offline` is a part of `Instrument`, in a file of its own. `Blocks` may be used by any thread, one
at a time. The generator samples a block only when the next one is asked for, so that what is set
between two blocks applies to the second.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arguments import (
    AnyPath,
    checked_function,
    checked_path,
    checked_seconds,
    checked_whole,
)
from engine.audio.sinks import ArraySink
from engine.errors import ConfigError
from engine.hearing import checked_sound
from engine.packs.manifest import Manifest
from engine.phrases import Phrase
from engine.rig import Rig
from engine.signal.roll import Note, NoteEvent
from engine.stream.notes_out import NotesOut
from engine.stream.pack_stream import PackStream
from engine.time.clock import Clock

__all__ = ["Begin", "Block", "Blocks", "Offline", "paired"]

_RATES = (8000, 192_000)  # Hz
_LENGTHS = (0.1, 31_536_000.0)  # seconds of what is made at once
_LARGEST = 16 * 2**30  # bytes of an array


class Begin(Protocol):
    """Starts a stream with a lead of `wanted` seconds; see `Rig.begin`."""

    def __call__(self, wanted: float, /, *, wait: bool = False) -> PackStream:
        """Start it."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """Music that was generated at once.

    Attributes
    ----------
    samples : ndarray [shape=(frames, channels)] float32
        At the pack's rate, before gain and limiter. Yours to change.
    notes : tuple of NoteEvent
        Keys that go down and up (velocity 0) in it, in seconds from its first sample.
    start : float
        Seconds of music before it.
    rate : int
        Frames per second.
    """

    samples: NDArray[np.float32]
    notes: tuple[NoteEvent, ...]
    start: float
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    def __repr__(self) -> str:
        frames, channels = self.samples.shape
        return (
            f"Block(start={self.start:.3f}, samples=[{frames}, {channels}] at {self.rate} Hz, "
            f"{len(self.notes)} note events)"
        )


@dataclass
class _Place:
    """How far a stream has been read, and the notes since the last block."""

    frames: int = 0
    notes: list[NoteEvent] = field(default_factory=list[NoteEvent])


class Blocks:
    """An iterator of blocks, endless or of a length; ends its generator when it is not used on.

    That is when it is exhausted, closed, left as a context manager, or garbage collected. Then the
    instrument can play again.

    Parameters
    ----------
    rig : of the instrument.
    stream : begun, with a lead of 0 s; nothing else may read it.
    begins_with : frames that it starts with, of a past.
    frames : to make at most; None is endless.
    end : ends the stream.
    """

    def __init__(
        self,
        rig: Rig,
        stream: PackStream,
        *,
        begins_with: int,
        frames: int | None,
        end: Callable[[PackStream], None],
    ) -> None:
        self._rig, self._stream = rig, stream
        self._begins_with, self._left = begins_with, frames
        self._turn = threading.Lock()
        self._place = place = _Place()
        rig.notes = NotesOut(stream.manifest.rate, lambda: place.frames, 0)
        rig.notes.set_listeners((place.notes.append, rig.note_listeners))
        stream.notes_out = rig.notes
        rig.notes.hear(stream)
        self._end = weakref.finalize(self, end, stream)

    def __iter__(self) -> Blocks:
        return self

    def __next__(self) -> Block:
        with self._turn:
            if self._left == 0 or not self._end.alive or self._rig.stream is not self._stream:
                self.close()
                raise StopIteration
            try:
                block = self._next()
            except BaseException:
                self.close()
                raise
            if block is None:  # the instrument was closed meanwhile
                raise StopIteration
            return block

    def _next(self) -> Block | None:
        lead, place = self._stream.lead, self._place
        begin = place.frames
        # A past waits for the first block, which stands in place of its end.
        first = self._begins_with + 1
        self._begins_with = 0
        self._stream.feeder.want((first - 0.5) / lead.rate)
        parts = [lead.pull(first)]  # waits
        self._stream.feeder.want(0.0)
        if self._stream.feeder.failure is not None:
            raise self._stream.feeder.failure
        if self._rig.stream is not self._stream:
            return None
        place.frames += first
        rest = round(lead.seconds * lead.rate)
        parts.append(lead.pull(rest))
        place.frames += rest
        samples = np.concatenate(parts)
        if self._left is not None:
            samples = samples[: self._left]
            self._left -= len(samples)
        seconds, length = begin / lead.rate, len(samples) / lead.rate
        notes = [NoteEvent(n.seconds - seconds, n.pitch, n.velocity) for n in place.notes]
        place.notes.clear()
        return Block(samples, tuple(n for n in notes if n.seconds < length), seconds, lead.rate)

    def close(self) -> None:
        """End the generator; closing twice is harmless."""
        self._end()

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Offline:
    """See the module's first lines; `Instrument` makes the attributes."""

    _rig: Rig
    _clock: Clock
    _lock: threading.RLock
    _wanted: float
    manifest: Manifest

    if TYPE_CHECKING:

        def close(self) -> None: ...  # noqa: D102
        def _starting(self, what: str) -> AbstractContextManager[None]: ...
        def _beginning(self, past: ArrayLike | None, phrase: Phrase) -> Begin: ...

    @overload
    def render(
        self, path: AnyPath, seconds: float, *, rate: int | None = None,
        past: ArrayLike | None = None, phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> Path | None: ...  # fmt: skip

    @overload
    def render(
        self, path: None = None, *, seconds: float, rate: int | None = None,
        past: ArrayLike | None = None, phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> tuple[NDArray[np.float32], tuple[Note, ...]]: ...  # fmt: skip

    def render(
        self,
        path: AnyPath | None = None,
        seconds: float | None = None,
        *,
        rate: int | None = None,
        past: ArrayLike | None = None,
        phrase: Phrase = (),
        progress: Callable[[float], object] | None = None,
    ) -> tuple[NDArray[np.float32], tuple[Note, ...]] | Path | None:
        """Play as fast as blocks can be generated: into a file, or into an array.

        Parameters
        ----------
        path : of the file, ending in .wav, .flac or .ogg. The notes go into a MIDI file beside it,
            which replaces none.
        seconds : how long it is, with the fade-out at its end; 0.1 or more.
        rate : frames per second; the pack's own by default.
        past, phrase : as in `play`.
        progress : called with the fraction done; if it returns False, the music ends there.

        Returns
        -------
        With a path, that of the MIDI file, if there are notes.
        Without a path, the samples, ndarray [shape=(frames, channels)] float32, and the notes, in
        seconds from the first sample. Gain and limiter are applied, as they are in a file.

        Raises
        ------
        StorageError, PackError, WorkerError, ConfigError
            In one line.
        """
        rate = self.manifest.rate if rate is None else checked_whole("rate", rate, *_RATES, "Hz")
        seconds = checked_seconds("render: seconds", seconds, *_LENGTHS)
        progress = None if progress is None else checked_function("progress", progress)
        file = None if path is None else checked_path("render", path)
        with self._starting("render"):
            sound = None if past is None else checked_sound(self.manifest, past)
            begin = self._beginning(sound, phrase)
            try:
                with self._lock:
                    stream = begin(self._wanted if sound is None else 0.0, wait=True)
                if sound is not None:
                    self._join(stream, len(sound))
                if file is None:
                    return _render_samples(self._rig, seconds, rate, progress)
                return self._rig.render(file, seconds, rate, progress)
            finally:
                self.close()

    def _join(self, stream: PackStream, frames: int) -> None:
        """Wait for the block that continues a past of so many frames, and replaces its end."""
        stream.want((frames + 0.5) / self.manifest.rate)
        self._rig.await_lead(stream, lambda _: None)
        stream.want(self._wanted)

    def blocks(
        self, seconds: float | None = None, *, past: ArrayLike | None = None, phrase: Phrase = ()
    ) -> Blocks:
        """Generate block by block: `for block in piano.blocks(): block.samples, block.notes`.

        A block is generated when the iterator is asked for it, as fast as it can be: what is `set`,
        held or answered between two blocks applies to the second. Samples are at the pack's rate,
        before gain and limiter; blocks join without a seam. How long one is depends on the pack
        and on `stride`. Ends when it is closed, exhausted or garbage collected; until then the
        instrument can do nothing else.

        Parameters
        ----------
        seconds : of all blocks together; endless by default.
        past, phrase : as in `play`; a past is in the first block, before what continues it.

        Raises
        ------
        PackError, WorkerError, ConfigError
            In one line.
        """
        pack = self.manifest
        frames: int | None = None
        if seconds is not None:
            frames = round(checked_seconds("blocks: seconds", seconds, *_LENGTHS) * pack.rate)
        with self._starting("blocks"), self._lock:
            sound = None if past is None else checked_sound(pack, past)
            begin = self._beginning(sound, phrase)
            try:
                stream = begin(0.0, wait=True)
            except BaseException:
                self.close()
                raise
            return Blocks(
                self._rig, stream, begins_with=0 if sound is None else len(sound),
                frames=frames, end=self._end_blocks,
            )  # fmt: skip

    def _end_blocks(self, stream: PackStream) -> None:
        if self._rig.stream is stream:
            self.close()


def _render_samples(
    rig: Rig, seconds: float, rate: int, progress: Callable[[float], object] | None
) -> tuple[NDArray[np.float32], tuple[Note, ...]]:
    """Render what a rig's stream makes: samples [frames, channels] at `rate`, and its notes.

    Raises
    ------
    ConfigError
        There is not enough memory.
    AttaccaError
        What ended the stream.
    """
    frames, channels = round(seconds * rate), rig.render_channels
    size = 4 * frames * channels
    try:
        if size > _LARGEST:
            raise MemoryError
        sink = ArraySink(frames, channels)
    except MemoryError:
        raise ConfigError(
            f"render: {seconds:g} s are {size / 2**30:.0f} GB of samples, more than there is room "
            "for; render into a file, or use blocks()"
        ) from None
    events: list[NoteEvent] = []
    remove = rig.note_listeners.add(events.append)
    try:
        rig.run_offline(rig.make_mixer(sink, rate), frames, progress)
    finally:
        rig.end_offline()
        remove()
    return sink.samples, paired(events, len(sink.samples) / rate)


def paired(events: Iterable[NoteEvent], end: float) -> tuple[Note, ...]:
    """Notes from keys that go down and up, in the order of their starts; none lasts beyond `end`.

    A key that is struck while it is down comes up first.
    """
    notes: list[Note] = []
    down: dict[int, NoteEvent] = {}
    for event in sorted(events, key=lambda e: (e.seconds, e.velocity)):
        struck = down.pop(event.pitch, None)
        if struck is not None:
            notes.append(_note(struck, min(event.seconds, end)))
        if event.velocity and event.seconds < end:
            down[event.pitch] = event
    notes += [_note(struck, end) for struck in down.values()]
    return tuple(sorted((n for n in notes if n.end > n.start), key=lambda n: (n.start, n.pitch)))


def _note(struck: NoteEvent, end: float) -> Note:
    return Note(struck.pitch, struck.velocity, struck.seconds, end)
