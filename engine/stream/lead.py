"""The lead: audio that is generated but not yet audible, between the feeder and the mixer thread.

The feeder calls `append`, the mixer `pull`; they share a short lock (the mixer is not the audio
callback). Samples are float32 [frames, channels] at the pack's rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.notes.timed_note import TimedNote, later_notes
from engine.stream.conceal import Concealer
from engine.stream.pending_notes import PendingNotes
from engine.time.clock import Clock

Array = NDArray[np.float32]
_SWITCH_SECONDS = 0.02  # crossfade to another moment of the music
_RESUME_SECONDS = 0.03  # crossfade from held sound back to music


@dataclass(frozen=True)
class LeadStats:
    """`seconds` of lead now; how often and how long it was gone; how many blocks were added."""

    seconds: float
    gaps: int
    concealed_seconds: float
    blocks: int


class Lead:
    """Buffer of blocks; when it is empty, the last sound is held (see `conceal`).

    Parameters
    ----------
    rate, channels : of the pack.
    clock : on which `pull` waits.
    wait : whether `pull` waits for audio instead of concealing, for rendering offline.
    on_notes : called in the mixer's thread with the notes of what `pull` returns next; must not
        wait.

    Attributes
    ----------
    preroll : seconds that must be ready before playback starts: the mixer then pulls several
        periods at once, more than a short block holds. May be changed at any time.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        *,
        clock: Clock,
        wait: bool = False,
        on_notes: Callable[[tuple[TimedNote, ...]], None] | None = None,
        preroll: float = 0.0,
    ) -> None:
        self.rate, self.channels = rate, channels
        self.preroll = preroll
        self._pending = PendingNotes(on_notes)
        self._wait = wait
        self._blocks: deque[Array] = deque()
        self._frames = 0
        self._lock = clock.condition()
        self._concealer = Concealer(rate, channels)
        self._fade = round(_RESUME_SECONDS * rate)
        self.switch_frames = round(_SWITCH_SECONDS * rate)  # of a crossfade to another moment
        self._started = False
        self._closed = False
        self._fading = np.zeros((0, channels), np.float32)
        self._played = 0  # frames pulled, or dropped
        self._gaps = self._concealed = self._count = 0

    # ------------------------------------------------------------ feeder thread

    def append(self, block: Array, rewind: int = 0, notes: tuple[TimedNote, ...] = ()) -> None:
        """Add a block; its first `rewind` frames replace the last ones that are not yet pulled.

        `notes` are timed from its first frame.
        """
        with self._lock:
            self._add(block, rewind, notes)

    def _add(self, block: Array, rewind: int, notes: tuple[TimedNote, ...]) -> None:
        block = np.ascontiguousarray(block, np.float32)
        if rewind:
            self._pending.withdraw(self._frames - rewind)
        self._pending.add(notes, self._frames - rewind)
        if rewind:
            block = self._rewound(block, rewind)
        if len(self._fading):
            block = self._crossfaded(block)
        self._blocks.append(block)
        self._frames += len(block)
        self._count += 1
        self._lock.notify_all()

    def _crossfaded(self, block: Array) -> Array:
        n = min(len(self._fading), len(block))
        rise = np.linspace(0, 1, n, dtype=np.float32)[:, None]
        block = block.copy()
        block[:n] = block[:n] * rise + self._fading[:n]
        self._fading = self._fading[:0]
        return block

    def _rewound(self, block: Array, rewind: int) -> Array:
        """Remove the last `rewind` frames; cut the block where they are already pulled."""
        replaced = min(rewind, self._frames)
        left = replaced
        while left:
            last = self._blocks.pop()
            self._frames -= len(last)
            if len(last) > left:
                self._blocks.append(last[:-left])
                self._frames += len(last) - left
                left = 0
            else:
                left -= len(last)
        return block[rewind - replaced :]

    def flush(self) -> tuple[float, float]:
        """Drop all audio; then silence, not held sound, until the next block.

        Returns where the dropped audio starts and ends, in seconds as in `extent`.
        """
        with self._lock:
            self._blocks.clear()
            begin = self._played
            self._played += self._frames
            self._frames = 0
            self._started = False
            self._pending.drop()
            self._concealer.forget()
            return begin / self.rate, self._played / self.rate

    def switch(
        self, block: Array, notes: tuple[TimedNote, ...] = (), at: int | None = None
    ) -> tuple[int, int]:
        """Continue with another moment of the music, behind a short crossfade.

        Parameters
        ----------
        block : of that moment; `notes` are timed from its first frame.
        at : position, as in `position`, at which the block begins; None for now. What is ready
            beyond it is dropped.

        Returns
        -------
        The position at which it begins, and by how many frames that is later than `at`. So many
        frames of the block are left out, so that the rest of it keeps its time.
        """
        with self._lock:
            wanted = self._played if at is None else at
            late = min(max(0, self._played - wanted), len(block))
            keep = min(max(0, wanted - self._played), self._frames)
            queued = np.concatenate([*self._blocks, np.zeros((0, self.channels), np.float32)])
            fading = queued[keep : keep + self.switch_frames]
            fall = np.linspace(1, 0, len(fading), dtype=np.float32)[:, None]
            self._fading = fading * fall
            self._blocks = deque([queued[:keep]] if keep else [])
            self._frames = keep
            self._pending.end(keep)
            begin = self._played + keep
            self._add(block[late:], 0, later_notes(notes, late))
            return begin, late

    def end_piece(self) -> None:
        """Fade out the end of the queued audio, and release its keys there: a new piece follows."""
        with self._lock:
            queued = np.concatenate([*self._blocks, np.zeros((0, self.channels), np.float32)])
            n = min(self._fade, len(queued))
            queued[len(queued) - n :] *= np.linspace(1, 0, n, dtype=np.float32)[:, None]
            self._blocks = deque([queued])
            self._pending.end(self._frames)

    def close(self) -> None:
        """Accept no more audio: a waiting pull returns the rest, then silence."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    # ------------------------------------------------------------- mixer thread

    def pull(self, frames: int) -> Array:
        """Exactly `frames` of sound: music as far as it goes, then held sound.

        It is silence until `preroll` seconds are ready. Offline it waits for music instead.
        """
        with self._lock:
            if self._wait:
                self._lock.wait_for(lambda: self._frames >= frames or self._closed)
            elif not self._started and self._frames <= self.preroll * self.rate:
                self._pending.publish(self._pending.advance(0))
                return np.zeros((frames, self.channels), np.float32)
            got = self._take(frames)
            due = self._pending.advance(len(got))
        self._pending.publish(due)
        self._started = True
        if self._concealer.active and len(got):
            got = self._resumed(got)
        if len(got):
            self._concealer.remember(got)
        missing = frames - len(got)
        if not missing:
            return got
        if self._wait:
            return np.concatenate([got, np.zeros((missing, self.channels), np.float32)])
        if not self._concealer.active:
            self._gaps += 1
        self._concealed += missing
        return np.concatenate([got, self._concealer.generate(missing)])

    def _take(self, frames: int) -> Array:
        parts: list[Array] = []
        need = frames
        while need and self._blocks:
            first = self._blocks[0]
            if len(first) <= need:
                parts.append(self._blocks.popleft())
                need -= len(first)
            else:
                parts.append(first[:need])
                self._blocks[0] = first[need:]
                need = 0
        self._frames -= frames - need
        self._played += frames - need
        if len(parts) == 1:
            return parts[0].copy()
        return np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)

    def _resumed(self, got: Array) -> Array:
        n = min(self._fade, len(got))
        rise = np.linspace(0, 1, n, dtype=np.float32)[:, None]
        got = got.copy()
        got[:n] = got[:n] * rise + self._concealer.generate(n) * (1 - rise)
        return got

    # --------------------------------------------------------------- any thread

    @property
    def seconds(self) -> float:
        """Seconds of lead now."""
        return self._frames / self.rate

    @property
    def position(self) -> tuple[int, int]:
        """Frames pulled or dropped since the start, and generated; both only grow."""
        with self._lock:
            return self._played, self._played + self._frames

    def extent(self) -> tuple[float, float]:
        """Seconds of music pulled or dropped since the start, and generated; both only grow."""
        with self._lock:
            return self._played / self.rate, (self._played + self._frames) / self.rate

    def stats(self) -> LeadStats:
        """The present counts."""
        return LeadStats(self.seconds, self._gaps, self._concealed / self.rate, self._count)
