"""The main loop of `attacca play`: reads keys and updates the display until playing ends.

Main thread only. Events of the instrument's threads arrive through a bounded queue, so a slow
terminal delays no other thread.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from attacca.terminal.displays import Display, SilentDisplay
from attacca.terminal.keys import Keys, NoKeys
from attacca.terminal.readout import Readout, readout
from attacca.terminal.stopping import Stopping, is_ignored
from engine.audio.take_names import NewTake
from engine.controls.bus import KEYBOARD
from engine.controls.control import Value
from engine.controls.settings import Settings
from engine.errors import AttaccaError, WorkerError
from engine.instrument import Instrument
from engine.snapshots import Snapshots
from engine.status import Event
from engine.time.clock import Clock

__all__ = ["Performance", "Played"]

_log = logging.getLogger("attacca")

TICK = 0.1  # seconds between two updates
FIRST_SOUND = 60.0  # seconds to wait for the first block
FADE = 0.4  # seconds of fade-out at the end
GAIN_STEP = 1.0  # dB


@dataclass(frozen=True)
class Played:
    """The summary of a performance."""

    seconds: float
    xruns: int
    gaps: int
    worst_load: float
    seed: int

    def __str__(self) -> str:
        return (
            f"played {self.seconds:.1f} s, {self.xruns} xruns, {self.gaps} gaps, "
            f"worst load {self.worst_load:.2f}, seed {self.seed}"
        )


class Performance:
    """Runs an instrument that has been started.

    Parameters
    ----------
    instrument : must be playing.
    display, keys, stopping : context managers that the caller has entered.
    clock : measures the duration.
    duration : seconds of sound; None: no limit.
    new_seed : returns a seed for the key `s`.
    snapshots : the folder of the keys `k` and `l`.

    Attributes
    ----------
    more_errors : returns the error counts of OSC and MIDI.
    """

    def __init__(
        self,
        instrument: Instrument,
        display: Display,
        keys: Keys,
        stopping: Stopping,
        *,
        clock: Clock,
        duration: float | None,
        new_seed: Callable[[], int],
        snapshots: Snapshots,
    ) -> None:
        self._instrument, self._display, self._keys = instrument, display, keys
        self._stopping, self._clock, self._duration = stopping, clock, duration
        self._new_seed, self._snapshots = new_seed, snapshots
        self.more_errors: Callable[[], Mapping[str, int]] = dict
        self._events: queue.Queue[Event] = queue.Queue(256)
        self._lost = 0
        self._last = ""
        self._first: float | None = None
        self._began = clock.now()
        instrument.listen(self._queue)
        self._actions: dict[str, Callable[[], None]] = {
            " ": self._pause, "p": instrument.panic, "r": self._record, "s": self._seed,
            "+": lambda: self._steps(1), "=": lambda: self._steps(1),
            "-": lambda: self._steps(-1), "_": lambda: self._steps(-1),
            "]": lambda: self._gain(GAIN_STEP), "up": lambda: self._gain(GAIN_STEP),
            "[": lambda: self._gain(-GAIN_STEP), "down": lambda: self._gain(-GAIN_STEP),
            "b": self._back, "k": self._take_snapshot, "l": self._recall, "f": self._fork,
            "n": self._new_piece, "q": stopping.request, "\x03": stopping.request,
        }  # fmt: skip

    def _queue(self, event: Event) -> None:
        """Any thread: queue an event, or count it if the queue is full."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._lost += 1

    # --------------------------------------------------------------------- the loop

    def run(self) -> Played:
        """Play until the end, then fade out.

        Raises
        ------
        AttaccaError
            The stream failed.
        """
        while not self._over():
            self._update()
            try:
                keys = self._keys.poll(TICK)
            except EOFError:
                if not is_ignored("SIGHUP"):
                    break
                self._keys = NoKeys()  # started with nohup: keep playing without a terminal
                continue
            for key in keys:
                self._press(key)
        self._show_events()
        played = self._played()
        if self._instrument.failure is not None:
            raise self._instrument.failure
        self._fade()
        return played

    def _over(self) -> bool:
        if self._stopping.requested or self._instrument.failure is not None:
            return True
        if self._first is None:
            waited = self._clock.now() - self._began
            if waited > FIRST_SOUND:
                raise WorkerError(f"no sound after {waited:.0f} s; see 'attacca doctor'")
            return False
        return self._duration is not None and self._seconds() >= self._duration

    def _seconds(self) -> float:
        return 0.0 if self._first is None else self._clock.now() - self._first

    def _update(self) -> Readout:
        self._show_events()
        instrument = self._instrument
        status = instrument.status()
        if self._first is None and status.lead.blocks:
            self._first = self._clock.now()
        now = readout(status, instrument.settings, self._seconds(), self._last, self.more_errors())
        self._show(lambda: self._display.show(now))
        return now

    def _show(self, show: Callable[[], None]) -> None:
        """Call `show`. If it fails, log one line and keep playing without a display."""
        try:
            show()
        except Exception as error:
            self._display = SilentDisplay()
            reason = f"{type(error).__name__}: {error}"
            _log.warning("the status display failed (%s); the music keeps playing", reason)

    def _show_events(self) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                break
            self._say(event.kind, event.text)
        if self._lost:
            lost, self._lost = self._lost, 0
            self._say("events", f"{lost} more were not shown")

    def _say(self, kind: str, text: str) -> None:
        self._last = f"{kind}: {text}"
        self._show(lambda: self._display.event(kind, text))

    def _played(self) -> Played:
        status = self._instrument.status()
        return Played(
            self._seconds(), status.xruns, status.lead.gaps, status.stream.worst_load,
            status.stream.seed,
        )  # fmt: skip

    def _fade(self) -> None:
        """Fade out over `FADE` seconds; the instrument's own 10 ms would be abrupt."""
        self._instrument.fade_out(FADE)

    # --------------------------------------------------------------------- keys

    def _press(self, key: str) -> None:
        action = self._actions.get(key)
        if action is None:
            return
        try:
            action()
        except AttaccaError as error:
            self._say("error", str(error))

    def _set(self, name: str, value: Value) -> Settings:
        return self._instrument.controls.set({name: value}, KEYBOARD).settings

    def _new_piece(self) -> None:
        self._instrument.new_piece()
        self._say("piece", "a new piece starts with the next block")

    def _back(self) -> None:
        self._instrument.go_back(beats=self._instrument.settings.number("beats"))
        self._say("back", "one bar")

    def _take_snapshot(self) -> None:
        self._say("snapshot", f"{self._snapshots.save(self._instrument.take_snapshot())!r} taken")

    def _recall(self) -> None:
        name, snapshot = self._snapshots.load()
        left = self._instrument.recall(snapshot)
        self._say("snapshot", f"{name!r}" + (f" in {left:.1f} s" if left else ""))

    def _fork(self) -> None:
        self._say("fork", f"seed {self._instrument.fork()}")

    def _pause(self) -> None:
        paused = not self._instrument.settings["pause"]
        self._set("pause", paused)
        self._say("pause", "on" if paused else "off")

    def _record(self) -> None:
        if self._instrument.status().recording is not None:
            self._instrument.record(None)
        else:
            self.record_to(NewTake(Path()))

    def record_to(self, to: Path | NewTake) -> None:
        """Start recording to a file.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        self._instrument.record(to)

    def _seed(self) -> None:
        seed = self._new_seed()
        self._set("seed", seed)
        self._say("seed", f"{seed} from the next block on")

    def _steps(self, by: int) -> None:
        steps = self._instrument.settings.number("steps")
        applied = self._set("steps", steps + by)
        self._say("steps", f"{applied['steps']} from the next block on")

    def _gain(self, by: float) -> None:
        gain = self._instrument.settings.number("gain")
        applied = self._set("gain", gain + by)
        self._say("gain", f"{applied.number('gain'):+.0f} dB")
