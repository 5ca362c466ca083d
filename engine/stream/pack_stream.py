"""One pack at play: its generator, its feeder and its lead, and where its music stands.

Made and ended under the instrument's lock; what runs in between are the feeder's and the mixer's
threads. Two of them stand side by side only while the music goes over from one pack to another.
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
from engine.stream.feeder import Feeder
from engine.stream.generator import Generator
from engine.stream.governor import Governor
from engine.stream.history import HISTORY
from engine.stream.lead import Lead
from engine.stream.made import Made, Teller
from engine.time.clock import Clock

__all__ = ["PackStream", "StreamSetup"]

# A generator that is started again goes on from sound, not from its own state: other samples than
# the seed stands for. Where no sound is missed meanwhile, only one that surely hangs is replaced.
_OFFLINE_PATIENCE = 120.0
# Seconds ready before sound begins: less than a block of most packs, more than an output ring.
_BEGIN = 0.3


@dataclass(frozen=True)
class StreamSetup:
    """What does not depend on the pack.

    `threads` of the network; `target` such as `cpu`; `say` is called with (kind, text) for what a
    performer should know, `trouble` with (kind, text, seconds) for what may go wrong again,
    `refused` with controls that the pack does not take and those it plays with instead, `made` with
    every block that is made and with what is dropped, `taken` with the controls of each block;
    `wait` for rendering offline, where the mixer waits for music; `history` seconds to go back by.
    """

    threads: int
    target: str
    clock: Clock
    say: Callable[[str, str], None]
    trouble: Callable[[str, str, float], None]
    refused: Callable[[Settings, Settings], None]
    wait: bool = False
    made: Callable[[Made], None] = lambda _: None
    taken: Callable[[Settings], None] = lambda _: None
    history: float = HISTORY


class PackStream:
    """Endless music from one pack.

    Parameters
    ----------
    manifest : of the pack.
    settings : controls to begin with.
    wanted : seconds of lead to keep.
    setup : what does not depend on the pack.
    origin : seconds of music that were played before this pack.

    Attributes
    ----------
    notes_out : who is told of notes; None for nobody.
    plan : of the pack.
    teller : tells of blocks, once the stream is what plays.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: Settings,
        wanted: float,
        setup: StreamSetup,
        *,
        origin: float = 0.0,
    ) -> None:
        self.manifest, self.wanted, self.origin = manifest, wanted, origin
        self.notes_out: NotesOut | None = None
        self._setup = setup
        self.teller = Teller(setup.made)
        self.lead = Lead(
            manifest.rate, manifest.channels, clock=setup.clock, wait=setup.wait,
            heard=self._on_notes, begin=min(wanted / 2, _BEGIN),
        )  # fmt: skip
        self.plan = plan = make_plan(manifest)
        governor = Governor(
            plan.block_samples / manifest.rate, manifest.least_steps, active=not setup.wait
        )
        generator = Generator(
            manifest.folder, setup.threads, setup.target, clock=setup.clock,
            patience=_OFFLINE_PATIENCE if setup.wait else 1.0,
        )  # fmt: skip
        self.feeder = Feeder(
            generator, self.lead, governor,
            plan=plan, wanted=wanted, settings=settings,
            say=setup.say, trouble=self._trouble, refused=setup.refused, clock=setup.clock,
            made=self.teller.made, taken=setup.taken, history=setup.history,
        )  # fmt: skip

    def start(self, past: NDArray[np.float32] | None = None, phrase: Sequence[Note] = ()) -> None:
        """Open the pack and begin to fill the lead; `past` and `phrase` as in `Instrument.play`.

        Raises
        ------
        AttaccaError
            The pack cannot be opened, or generates no notes and was given a phrase.
        """
        if phrase and not self.manifest.has_notes:
            raise ConfigError(
                f"pack {self.manifest.name!r} generates no notes: it cannot begin with a phrase"
            )
        self.feeder.start(past, phrase)

    def want(self, seconds: float) -> None:
        """Keep so many seconds of lead from now on."""
        self.wanted = seconds
        self.lead.begin = min(seconds / 2, _BEGIN)
        self.feeder.want(seconds)

    def stop(self) -> None:
        """End the feeder and the generator."""
        self.notes_out = None
        self.feeder.stop()

    def resampler(self, rate: int) -> StreamResampler:
        """A new one from the pack's rate to `rate`."""
        return StreamResampler(self.manifest.rate, rate, self.manifest.channels)

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played, and from where on what is set now will sound."""
        played, made = self.feeder.horizon()
        return self.origin + played, self.origin + made

    def extent(self) -> tuple[float, float]:
        """Seconds of music played, and to where it is made."""
        played, made = self.lead.extent()
        return self.origin + played, self.origin + made

    def _trouble(self, kind: str, text: str, lasts: float) -> None:
        name = self.manifest.name
        line = (
            f"pack {name!r}: {text}; check it with 'attacca packs {name} --test', or load another"
        )
        self._setup.trouble(kind, line, lasts)

    def _on_notes(self, notes: tuple[TimedNote, ...]) -> None:
        out = self.notes_out
        if out is not None:
            out.heard(notes, self.manifest.rate, self)
