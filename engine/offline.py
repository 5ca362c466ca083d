"""Music without a sound card, as fast as it can be generated: into a file, an array, or by block.

`Rendering` and `BlockByBlock` replace `LivePlaying`. `Blocks` may be used by any thread, one at a
time. The generator samples a block only when it is requested, so that controls that are set between
two blocks apply to the second.
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
    "Block", "BlockByBlock", "Blocks", "Rendering", "pair_notes", "render_channels", "render_file",
    "render_samples",
]  # fmt: skip

_LARGEST = 16 * 2**30  # bytes of an array

Progress = Callable[[float], object]


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """One generated block of music.

    Attributes
    ----------
    samples : ndarray [shape=(frames, channels)] float32
        At the pack's rate, before gain and limiter. The caller may change them.
    notes : tuple of NoteEvent
        Keys that go down and up (velocity 0), in seconds from the first sample.
    start : float
        Seconds of music before the block.
    rate : int
        Frames per second.
    """

    samples: NDArray[np.float32]
    notes: tuple[NoteEvent, ...]
    start: float
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate

    def __repr__(self) -> str:
        frames, channels = self.samples.shape
        return (
            f"Block(start={self.start:.3f}, samples=[{frames}, {channels}] at {self.rate} Hz, "
            f"{len(self.notes)} note events)"
        )


class BlockByBlock(Playing):
    """A stream whose blocks, with their notes, are requested one by one.

    Parameters
    ----------
    stream : started, with a target lead of 0 s; nothing else may read it.
    listeners : to notes.
    """

    def __init__(self, stream: PackStream, listeners: Listeners[NoteEvent]) -> None:
        super().__init__(stream)
        self._frames = 0  # pulled so far
        self._events: list[NoteEvent] = []
        self._notes = NotesOut(stream.manifest.rate, lambda: self._frames, 0)
        self._notes.set_listeners((self._events.append, listeners))
        stream.notes_out = self._notes
        self._notes.follow(stream)

    def close(self) -> None:
        """Release all keys, and stop everything."""
        self._notes.close()
        super().close()

    def next(self, least: int) -> Block:
        """Wait for the next block, of `least` frames or more.

        Raises
        ------
        AttaccaError
            The error that ended the stream.
        """
        lead, feeder, begin = self.stream.lead, self.stream.feeder, self._frames
        feeder.set_target_lead((least - 0.5) / lead.rate)
        parts = [lead.pull(least)]  # waits
        feeder.set_target_lead(0.0)
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
    """An iterator of blocks, endless or of a given length.

    It stops the generator when it is exhausted, closed, left as a context manager, or garbage
    collected. After that the instrument can play again.

    Parameters
    ----------
    playing : generates the blocks.
    past : frames of a past, which the first block starts with.
    frames : the most to generate; None is endless.
    is_playing : whether the instrument still plays it.
    end : stops it.
    """

    def __init__(
        self,
        playing: BlockByBlock,
        *,
        past: int,
        frames: int | None,
        is_playing: Callable[[Playing], bool],
        end: Callable[[Playing], None],
    ) -> None:
        self._playing, self._is_playing = playing, is_playing
        # The first block replaces the end of the past, so the two come together.
        self._least, self._left = past + 1, frames
        self._turn = threading.Lock()
        self._end = weakref.finalize(self, end, playing)

    def __iter__(self) -> Blocks:
        return self

    def __next__(self) -> Block:
        with self._turn:
            if self._left == 0 or not self._end.alive or not self._is_playing(self._playing):
                self.close()
                raise StopIteration
            try:
                block = self._playing.next(self._least)
            except BaseException:
                self.close()
                raise
            self._least = 1
            if not self._is_playing(self._playing):  # the instrument was closed in the meantime
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
        """Stop the generator; closing twice is harmless."""
        self._end()

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Rendering(Playing):
    """A stream that plays into a sink as fast as it can be generated.

    Parameters
    ----------
    stream : started; its lead waits for audio.
    sink, rate : of the output.
    setup : of the instrument.
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
        self.notes.follow(stream)

    @property
    def rate(self) -> int:
        """Frames per second of the sink."""
        return self._mixer.rate

    @property
    def seconds(self) -> float:
        """Seconds rendered so far."""
        return self._mixer.frames / self._mixer.rate

    @property
    def output_latency(self) -> tuple[float, float, float]:
        """Seconds of latency of device, ring and mixer."""
        return 0.0, 0.0, self._mixer.latency_frames / self._mixer.rate

    def set_live(self, *, gain_db: float | None = None, pause: bool | None = None) -> None:
        """Change live controls; None leaves a control as it is."""
        self._mixer.set(gain_db=gain_db, pause=pause)

    def silence(self) -> None:
        """Fade out at once, and drop everything that still sounds or is scheduled."""
        self._mixer.panic()

    def drop(self) -> None:
        """Drop all generated audio; a new piece starts."""
        super().drop()
        self.notes.release()

    def close(self) -> None:
        """Release all keys, and stop everything."""
        self.notes.close()
        super().close()

    def run(self, frames: int, progress: Progress | None) -> None:
        """Render `frames`, with the fade-out at their end, and finish the sink.

        `progress` is called with the fraction done; when it returns False, the music ends there.

        Raises
        ------
        AttaccaError
            The sink cannot be written, the stream has ended, or the instrument was closed.
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
                raise ConfigError("render: the instrument was closed in the meantime")
        mixer.finish(frames)


def render_channels(stream: PackStream) -> int:
    """Channels of a rendered stream."""
    return CHANNELS_OUT if stream.manifest.channels > 1 else 1


def render_file(
    start: Callable[[Sink], Rendering],
    channels: int,
    path: Path,
    seconds: float,
    rate: int,
    progress: Progress | None,
) -> Path | None:
    """Render into a file, and the notes into a MIDI file beside it; `start` takes the sink.

    Returns the path of the MIDI file, if there were notes.

    Raises
    ------
    AttaccaError
        The file cannot be written, or the stream has ended.
    """
    # Only once the pack is open: if it cannot be opened, an older file stays.
    sink = FileSink(path, rate, channels)
    collected = CollectedNotes()
    notes = NotesFile(path, collected)
    try:
        rendering = start(sink)
        rendering.notes.collect(collected)

        def write_notes(done: float) -> object:
            notes.write(rendering.seconds)
            return None if progress is None else progress(done)

        rendering.run(round(seconds * rate), write_notes)
        notes.close(rendering.seconds)
        if notes.problem:
            raise StorageError(f"{path.name} is complete, but {notes.summary}")
    except BaseException:
        with contextlib.suppress(StorageError):  # what is written stays readable
            sink.finish()
        notes.close(sink.frames / rate)
        raise
    return notes.path


def render_samples(
    start: Callable[[Sink], Rendering],
    channels: int,
    seconds: float,
    rate: int,
    progress: Progress | None,
    listeners: Listeners[NoteEvent],
) -> tuple[NDArray[np.float32], tuple[Note, ...]]:
    """Render samples [frames, channels] at `rate`, and their notes; `start` takes the sink.

    Raises
    ------
    ConfigError
        There is not enough memory.
    AttaccaError
        The error that ended the stream.
    """
    frames = round(seconds * rate)
    size = 4 * frames * channels
    try:
        if size > _LARGEST:
            raise MemoryError
        sink = ArraySink(frames, channels)
    except MemoryError:
        raise ConfigError(
            f"render: {seconds:g} s need {size / 2**30:.0f} GB of memory, which is too much; "
            "render into a file, or use blocks()"
        ) from None
    events: list[NoteEvent] = []
    remove = listeners.add(events.append)
    try:
        rendering = start(sink)
        try:
            rendering.run(frames, progress)
        finally:
            rendering.notes.close()
    finally:
        remove()
    return sink.samples, pair_notes(events, len(sink.samples) / rate)


def pair_notes(events: Iterable[NoteEvent], end: float) -> tuple[Note, ...]:
    """Notes from keys that go down and up, by start; none lasts beyond `end`.

    A key that is struck while it is down is released first.
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
