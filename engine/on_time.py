"""The instrument's time: which frame is heard when, where its music stands, who is told of blocks.

A part of `Instrument`, in a file of its own. Any thread may call it. Two kinds of seconds: those of
a clock, by which live controls begin (`now`, `set_at`), and those of music, on one axis since
playing began (`extent`, `horizon`, the blocks of `listen_blocks`), which stand still while the
music is held and go on over a panic and a change of pack.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from engine.audio.clock import Clock
from engine.params import Settings, Value
from engine.rig import Rig
from engine.stream.made import Made

__all__ = ["OnTime"]


class OnTime:
    """See the module's first lines; `Instrument` makes the attributes."""

    _rig: Rig
    _clock: Clock
    _lock: threading.RLock
    _settings: Settings

    # ------------------------------------------------------------------ the clock

    def set(self, **controls: Value) -> Settings:
        """Change controls at once; see `Instrument`."""
        raise NotImplementedError

    def now(self) -> float:
        """Seconds of the clock that `set_at` goes by."""
        return self._clock.now()

    @property
    def rate(self) -> int:
        """Frames per second of what is heard; 0 when nothing is playing."""
        mixer = self._rig.mixer
        return mixer.rate if mixer is not None else 0

    def set_at(self, at: float, **controls: Value) -> float | None:
        """Have `gain` and `pause` begin at the frame that is heard at `at`, of `now`'s clock.

        The settings stay as they are: whoever plans this sets them at that time, by
        `set_rendered`.

        Returns
        -------
        Seconds that it comes too late for that, and is heard as soon as can be; 0 when it does
        not. None when it could not be planned: then set them at that time.
        """
        with self._lock:
            output, mixer = self._rig.output, self._rig.mixer
            if output is None or mixer is None:
                return None
            new = self._settings.changed(**controls)
            return mixer.set_at(
                at - output.device_s,
                gain_db=new.number("gain") if "gain" in controls else None,
                pause=bool(new["pause"]) if "pause" in controls else None,
            )

    def set_rendered(self, rendered: Collection[str], **controls: Value) -> Settings:
        """`set`, where the mixer has been told of the controls `rendered` by `set_at`.

        Raises
        ------
        ConfigError
            As `set` does.
        """
        with self._lock:
            planned = {n: v for n, v in controls.items() if n in rendered}
            self._settings = self._settings.changed(**planned)
            return self.set(**{n: v for n, v in controls.items() if n not in planned})

    def _tell_mixer(self, names: Collection[str]) -> None:
        """What the mixer takes of these; another may be planned for later, and is left alone."""
        mixer, settings = self._rig.mixer, self._settings
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

    def listen_blocks(self, listener: Callable[[Made], None]) -> None:
        """Call `listener` with every block as it is made, its samples, and with what is dropped.

        It is called in the thread that it happens in, mostly the feeder's, and must not wait; at
        once with the last blocks, which may still be unheard.
        """
        with self._lock:
            self._rig.blocks.add(listener)

    def unlisten_blocks(self, listener: Callable[[Made], None]) -> None:
        """The opposite of `listen_blocks`."""
        with self._lock:
            self._rig.blocks.remove(listener)
