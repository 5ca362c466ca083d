"""Music without a sound card: into a file, an array, or block by block, as fast as it can be made.

`Rendering` and `BlockByBlock` are what plays then, in place of `LivePlaying`. `Blocks` may be used
by any thread, one at a time. The generator samples a block only when the next one is asked for, so
that what is set between two blocks applies to the second.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.mixer import LiveControls
from engine.audio.sinks import ArraySink, FileSink, Sink
from engine.errors import ConfigError, StorageError
from engine.listeners import Listeners
from engine.notes.note import Note, NoteEvent
from engine.notes.notes_file import CollectedNotes, NotesFile
from engine.notes.notes_out import NotesOut
from engine.output import CHANNELS_OUT
from engine.playing import PERIOD, Playing, make_mixer
from engine.stream.pack_stream import PackStream, StreamSetup
from engine.time.clock import Event

__all__ = [
    "Block", "BlockByBlock", "Blocks", "Rendering", "paired", "render_channels", "render_file",
    "render_samples",
]  # fmt: skip

_LARGEST = 16 * 2**30  # bytes of an array

Progress = Callable[[float], object]


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


class BlockByBlock(Playing):
    """A stream of which each block is asked for, with its notes.

    Parameters
    ----------
    stream : started, with a lead of 0 s; nothing else may read it.
    listeners : to notes.
    """

    def __init__(self, stream: PackStream, listeners: Listeners[NoteEvent]) -> None:
        super().__init__(stream)
        self._frames = 0  # pulled so far
        self._events: list[NoteEvent] = []
        self._notes = NotesOut(stream.manifest.rate, lambda: self._frames, 0)
        self._notes.set_listeners((self._events.append, listeners))
        stream.notes_out = self._notes
        self._notes.hear(stream)

    def close(self) -> None:
        """Release the keys that are down, and end everything."""
        self._notes.let_go()
        super().close()

    def next(self, least: int) -> Block:
        """Wait for the next block, of `least` frames or more.

        Raises
        ------
        AttaccaError
            What ended the stream.
        """
        lead, feeder, begin = self.stream.lead, self.stream.feeder, self._frames
        feeder.want((least - 0.5) / lead.rate)
        parts = [lead.pull(least)]  # waits
        feeder.want(0.0)
        if feeder.failure is not None:
            raise feeder.failure
        self._frames += least
        rest = round(lead.seconds * lead.rate)
        parts.append(lead.pull(rest))
        self._frames += rest
        seconds = begin / lead.rate
        notes = [NoteEvent(n.seconds - seconds, n.pitch, n.velocity) for n in self._events]
        self._events.clear()
        return Block(np.concatenate(parts), tuple(notes), seconds, lead.rate)


class Blocks:
    """An iterator of blocks, endless or of a length; ends its generator when it is not used on.

    That is when it is exhausted, closed, left as a context manager, or garbage collected. Then the
    instrument can play again.

    Parameters
    ----------
    playing : what makes the blocks.
    begins_with : frames that it starts with, of a past.
    frames : to make at most; None is endless.
    plays : whether the instrument still plays this.
    end : ends it.
    """

    def __init__(
        self,
        playing: BlockByBlock,
        *,
        begins_with: int,
        frames: int | None,
        plays: Callable[[Playing], bool],
        end: Callable[[Playing], None],
    ) -> None:
        self._playing, self._plays = playing, plays
        # A past waits for the first block, which stands in place of its end.
        self._least, self._left = begins_with + 1, frames
        self._turn = threading.Lock()
        self._end = weakref.finalize(self, end, playing)

    def __iter__(self) -> Blocks:
        return self

    def __next__(self) -> Block:
        with self._turn:
            if self._left == 0 or not self._end.alive or not self._plays(self._playing):
                self.close()
                raise StopIteration
            try:
                block = self._playing.next(self._least)
            except BaseException:
                self.close()
                raise
            self._least = 1
            if not self._plays(self._playing):  # the instrument was closed meanwhile
                raise StopIteration
            return self._cut(block)

    def _cut(self, block: Block) -> Block:
        samples = block.samples
        if self._left is not None:
            samples = samples[: self._left]
            self._left -= len(samples)
        length = len(samples) / block.rate
        notes = tuple(n for n in block.notes if n.seconds < length)
        return Block(samples, notes, block.start, block.rate)

    def close(self) -> None:
        """End the generator; closing twice is harmless."""
        self._end()

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rendering(Playing):
    """A stream that plays into a sink, as fast as it can be made.

    Parameters
    ----------
    stream : started; its lead waits for audio.
    sink, rate : where it plays into.
    setup : of every stream.
    controls : the live controls as they are set.
    listeners : to notes.
    ending : set when playing ends.
    """

    def __init__(
        self,
        stream: PackStream,
        sink: Sink,
        rate: int,
        setup: StreamSetup,
        controls: LiveControls,
        listeners: Listeners[NoteEvent],
        ending: Event,
    ) -> None:
        super().__init__(stream)
        self._ending = ending
        self._mixer = mixer = make_mixer(stream, sink, rate, setup, controls)
        self.notes = NotesOut(rate, lambda: mixer.frames, mixer.latency_frames)
        self.notes.set_listeners((listeners,))
        stream.notes_out = self.notes
        self.notes.hear(stream)

    @property
    def rate(self) -> int:
        """Frames per second of the sink."""
        return self._mixer.rate

    @property
    def seconds(self) -> float:
        """How much is rendered."""
        return self._mixer.frames / self._mixer.rate

    @property
    def output_latency(self) -> tuple[float, float, float]:
        """Seconds of latency of device, ring and mixer."""
        return 0.0, 0.0, self._mixer.latency_frames / self._mixer.rate

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Apply live controls; those not named stay."""
        self._mixer.set(gain_db=gain_db, pause=pause)

    def silence(self) -> None:
        """Fade out at once, and forget everything that still sounds or is planned."""
        self._mixer.panic()

    def drop(self) -> None:
        """Drop everything that is generated; a new piece begins."""
        super().drop()
        self.notes.release()

    def close(self) -> None:
        """Release the keys that are down, and end everything."""
        self.notes.let_go()
        super().close()

    def run(self, frames: int, progress: Progress | None) -> None:
        """Render so many frames, with the fade-out at their end, and finish the sink.

        `progress` is called with the fraction done; when it answers False they end there.

        Raises
        ------
        AttaccaError
            The sink cannot be written; what ended the stream; the instrument was closed.
        """
        mixer, feeder = self._mixer, self.stream.feeder
        periods = max(1, (frames - mixer.fade_frames) // PERIOD)
        for i in range(periods):
            mixer.process_once()
            if feeder.failure is not None:
                raise feeder.failure
            if progress is not None and i % 64 == 0 and progress(i / periods) is False:
                frames = 0
                break
            if self._ending.is_set():
                raise ConfigError("render: the instrument was closed meanwhile")
        mixer.finish(frames)


def render_channels(stream: PackStream) -> int:
    """Channels of what is rendered of a stream."""
    return CHANNELS_OUT if stream.manifest.channels > 1 else 1


def render_file(
    begin: Callable[[Sink], Rendering],
    channels: int,
    path: Path,
    seconds: float,
    rate: int,
    progress: Progress | None,
) -> Path | None:
    """Render into a file, and its notes beside it; `begin` renders into a sink.

    Returns the MIDI file, if there were notes.

    Raises
    ------
    AttaccaError
        The file cannot be written; what ended the stream.
    """
    # Not before the pack is open: one that cannot be must not cost an older file.
    sink = FileSink(path, rate, channels)
    collected = CollectedNotes()
    notes = NotesFile(path, collected)
    try:
        rendering = begin(sink)
        rendering.notes.collect(collected)

        def write_notes(done: float) -> object:
            notes.write(rendering.seconds)
            return None if progress is None else progress(done)

        rendering.run(round(seconds * rate), write_notes)
        notes.close(rendering.seconds)
        if notes.problem:
            raise StorageError(f"{path.name} is complete, but {notes.summary}")
    except BaseException:
        with contextlib.suppress(StorageError):  # what there is stays readable
            sink.finish()
        notes.close(sink.frames / rate)
        raise
    return notes.path


def render_samples(
    begin: Callable[[Sink], Rendering],
    channels: int,
    seconds: float,
    rate: int,
    progress: Progress | None,
    listeners: Listeners[NoteEvent],
) -> tuple[NDArray[np.float32], tuple[Note, ...]]:
    """Render samples [frames, channels] at `rate`, and their notes; `begin` renders into a sink.

    Raises
    ------
    ConfigError
        There is not enough memory.
    AttaccaError
        What ended the stream.
    """
    frames = round(seconds * rate)
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
    remove = listeners.add(events.append)
    try:
        rendering = begin(sink)
        try:
            rendering.run(frames, progress)
        finally:
            rendering.notes.let_go()
    finally:
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
