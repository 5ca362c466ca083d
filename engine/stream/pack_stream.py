"""The stream of one pack: its generator, feeder and lead, and its position in the music.

Created and stopped under the instrument's lock; the feeder's and the mixer's threads use it in
between. Two streams exist at once only during the change from one pack to another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.controls.settings import Settings
from engine.errors import ConfigError
from engine.notes.note import Note
from engine.notes.notes_out import NotesOut
from engine.notes.timed_note import TimedNote
from engine.packs.manifest import Manifest
from engine.packs.plan import make_plan
from engine.resample import StreamResampler
from engine.stream.block_events import BlockEvent, BlockPublisher
from engine.stream.feeder import Feeder
from engine.stream.generator import Generator
from engine.stream.governor import Governor
from engine.stream.lead import Lead
from engine.time.clock import Clock
from engine.time.tempo_map import Pace

__all__ = ["PackStream", "StreamSetup"]

# Factor for the time after which a generator counts as hung: offline, waiting costs no sound.
_OFFLINE_PATIENCE = 120.0
# Seconds ready before playback starts: less than a block of most packs, more than an output ring.
_PREROLL = 0.3


@dataclass(frozen=True)
class StreamSetup:
    """What all streams of an instrument have in common.

    Attributes
    ----------
    threads : of the network.
    target : such as `cpu`.
    clock : of all threads and waits.
    on_event : called with (kind, text) for the performer.
    on_problem : called with (kind, text, seconds) for a problem that may recur, and how long it
        counts as current.
    on_refused : called with settings that the pack refuses and those that it plays with instead.
    wait : the mixer waits for music, for rendering offline.
    on_block_event : called with every generated block and all dropped audio.
    on_applied : called with the settings of each generated block.
    pace : returns the present tempo.
    """

    threads: int
    target: str
    clock: Clock
    on_event: Callable[[str, str], None]
    on_problem: Callable[[str, str, float], None]
    on_refused: Callable[[Settings, Settings], None]
    wait: bool = False
    on_block_event: Callable[[BlockEvent], None] = lambda _: None
    on_applied: Callable[[Settings], None] = lambda _: None
    pace: Callable[[], Pace] = Pace


class PackStream:
    """Endless music from one pack.

    Parameters
    ----------
    manifest : of the pack.
    settings : the first ones.
    target_lead : seconds.
    setup : of the instrument.
    origin : seconds of music played before this pack.

    Attributes
    ----------
    notes_out : gets the notes that become audible.
    block_publisher : publishes the block events.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: Settings,
        target_lead: float,
        setup: StreamSetup,
        *,
        origin: float = 0.0,
    ) -> None:
        self.manifest, self.target_lead, self.origin = manifest, target_lead, origin
        self.notes_out: NotesOut | None = None
        self._setup = setup
        self.block_publisher = BlockPublisher(setup.on_block_event)
        self.lead = Lead(
            manifest.rate, manifest.channels, clock=setup.clock, wait=setup.wait,
            on_notes=self._on_notes, preroll=min(target_lead / 2, _PREROLL),
        )  # fmt: skip
        plan = make_plan(manifest)
        governor = Governor(
            plan.block_samples / manifest.rate, manifest.least_steps, active=not setup.wait
        )
        generator = Generator(
            manifest.folder, setup.threads, setup.target, clock=setup.clock,
            patience=_OFFLINE_PATIENCE if setup.wait else 1.0, pace=setup.pace,
        )  # fmt: skip
        self.feeder = Feeder(
            generator, self.lead, governor,
            plan=plan, target_lead=target_lead, settings=settings, clock=setup.clock,
            on_event=setup.on_event, on_problem=self._on_problem, on_refused=setup.on_refused,
            on_block_event=self.block_publisher.add, on_applied=setup.on_applied,
            pace=setup.pace,
        )  # fmt: skip

    def start(self, past: NDArray[np.float32] | None = None, phrase: Sequence[Note] = ()) -> None:
        """Open the pack and start to fill the lead; `past` and `phrase` as in `Instrument.play`.

        Raises
        ------
        AttaccaError
            The pack cannot be opened, or there is a phrase and it generates no notes.
        """
        if phrase and not self.manifest.has_notes:
            raise ConfigError(
                f"pack {self.manifest.name!r} generates no notes; start it without a phrase"
            )
        self.feeder.start(past, phrase)

    def set_target_lead(self, seconds: float) -> None:
        """Keep this many seconds of lead from now on."""
        self.target_lead = seconds
        self.lead.preroll = min(seconds / 2, _PREROLL)
        self.feeder.set_target_lead(seconds)

    def stop(self) -> None:
        """Stop the feeder and the generator."""
        self.notes_out = None
        self.feeder.stop()

    def resampler(self, rate: int) -> StreamResampler:
        """A new resampler from the pack's rate to `rate`."""
        return StreamResampler(self.manifest.rate, rate, self.manifest.channels)

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played, and from where on the present settings apply."""
        played, applied = self.feeder.horizon()
        return self.origin + played, self.origin + applied

    def extent(self) -> tuple[float, float]:
        """Seconds of music played, and seconds generated."""
        played, generated = self.lead.extent()
        return self.origin + played, self.origin + generated

    def _on_problem(self, kind: str, text: str, lasts: float) -> None:
        name = self.manifest.name
        line = (
            f"pack {name!r}: {text}; check it with 'attacca packs {name} --test', or load another"
        )
        self._setup.on_problem(kind, line, lasts)

    def _on_notes(self, notes: tuple[TimedNote, ...]) -> None:
        out = self.notes_out
        if out is not None:
            out.add(notes, self.manifest.rate, self)
