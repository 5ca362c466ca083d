"""The instrument's time: which frame is heard when, and where its music stands.

A part of `Instrument`, in a file of its own. Any thread may call it. Two kinds of seconds: those of
a clock, by which live controls begin (`now`, `set_at`), and those of music, on one axis since
playing began (`extent`, `horizon`, the blocks of `listen_blocks`), which stand still while the
music is held and go on over a panic and a change of pack.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

from engine.arguments import checked_number, checked_seconds
from engine.audio.clock import Clock
from engine.controls.bus import ControlBus
from engine.controls.settings import Settings
from engine.errors import ConfigError, WorkerError
from engine.rig import Rig

__all__ = ["OnTime"]

_FADE_STEPS = 16


class OnTime:
    """See the module's first lines; `Instrument` makes the attributes."""

    _rig: Rig
    _clock: Clock
    _lock: threading.RLock
    controls: ControlBus

    # ------------------------------------------------------------------ the clock

    def now(self) -> float:
        """Seconds of the clock that `set_at` goes by."""
        return self._clock.now()

    @property
    def rate(self) -> int:
        """Frames per second of what is heard; 0 when nothing is playing."""
        mixer = self._rig.mixer
        return mixer.rate if mixer is not None else 0

    def set_at(self, at: float, **controls: object) -> float | None:
        """Have `gain` and `pause` begin at the frame that is heard at `at`, of `now`'s clock.

        The settings stay as they are: whoever plans this sets them at that time, as `planned`.

        Returns
        -------
        Seconds that it comes too late for that, and is heard as soon as can be; 0 when it does
        not. None when it could not be planned: then set them at that time.
        """
        at = checked_number("set_at", at, -1e12, 1e12, "s")
        output, mixer = self._rig.output, self._rig.mixer
        if output is None or mixer is None:
            return None
        new = self.controls.settings.changed(controls)
        return mixer.set_at(
            at - output.device_s,
            gain_db=new.number("gain") if "gain" in controls else None,
            pause=bool(new["pause"]) if "pause" in controls else None,
        )

    def fade_out(self, seconds: float) -> None:
        """Turn the output down in this thread; `gain` and its subscribers stay as they are."""
        mixer, gain = self._rig.mixer, self.controls.settings.number("gain")
        for i in range(1, _FADE_STEPS + 1):
            if mixer is not None:
                mixer.set(gain_db=gain - 60.0 * (i / _FADE_STEPS) ** 2)
            self._clock.sleep(seconds / _FADE_STEPS)

    def _apply_live(self, settings: Settings, names: Collection[str]) -> None:
        """Apply the live controls among these; others may be planned for later, and stay."""
        mixer = self._rig.mixer
        if mixer is not None and ("gain" in names or "pause" in names):
            mixer.set(
                gain_db=settings.number("gain") if "gain" in names else None,
                pause=bool(settings["pause"]) if "pause" in names else None,
            )

    # ------------------------------------------------------------------ the music

    def extent(self) -> tuple[float, float]:
        """Seconds of music played, and to where it is made; on the axis of `horizon`."""
        stream = self._rig.stream
        return stream.extent() if stream is not None else (0.0, 0.0)

    def horizon(self) -> tuple[float, float]:
        """Seconds of music played so far, and from where on what is set now will sound.

        Both stand still while the music is held, and go on over a change of pack; (0, 0) when
        nothing is playing.
        """
        stream = self._rig.stream
        return stream.horizon() if stream is not None else (0.0, 0.0)

    def wait_for_sound(self, timeout: float = 30.0) -> float:
        """Wait until the first block is there; returns the seconds it took.

        Raises
        ------
        ConfigError
            Nothing is playing, or no longer.
        AttaccaError
            What ended the stream before it began.
        WorkerError
            When nothing came in time.
        """
        timeout = checked_seconds("wait_for_sound", timeout, 0.0, 3600.0)
        began = time.monotonic()
        while time.monotonic() - began < timeout:
            stream = self._rig.stream
            if stream is None:
                raise ConfigError("wait_for_sound: nothing is playing; call play() first")
            if stream.feeder.failure is not None:
                raise stream.feeder.failure
            if stream.lead.seconds > 0:
                return time.monotonic() - began
            time.sleep(0.005)
        raise WorkerError(f"no sound after {timeout:g} s; see 'attacca doctor'")
