"""Watches a device while it plays, and opens it again when it is gone or stuck.

`DeviceWatch` has a thread of its own. The mixer needs to know nothing of it: while the device takes
nothing out of the ring, the mixer waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.audio.device import GONE, OutputDevice
from engine.errors import DeviceError
from engine.time.clock import Clock

__all__ = ["DeviceEvent", "DeviceWatch"]

_STOP_LIMIT_S = 1.0  # a listener that does not return holds up nothing else


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A device went or came; one event each time, however long it takes.

    Attributes
    ----------
    kind : {'lost', 'back'}
    device : str
        The name it is remembered by.
    message : str
        One line for the user.
    away_s : float
        How long it was away, seconds; 0 for 'lost'.
    """

    kind: Literal["lost", "back"]
    device: str
    message: str
    away_s: float = 0.0


class DeviceWatch:
    """Looks at a device several times a second and opens it again by name until it works.

    Parameters
    ----------
    device : OutputDevice
        Started.
    on_event : callable
        Gets each `DeviceEvent`, in the watch's thread; must not wait.
    clock : Clock
    look_s, retry_s : float
        Seconds between looks, and between tries to reopen.
    """

    def __init__(
        self,
        device: OutputDevice,
        on_event: Callable[[DeviceEvent], None],
        *,
        clock: Clock,
        look_s: float = 0.2,
        retry_s: float = 1.0,
    ) -> None:
        self.tries = 0
        self._device = device
        self._on_event = on_event
        self._clock = clock
        self._look_s, self._retry_s = look_s, retry_s
        self._ending = clock.event()
        self._lost_at: float | None = None
        self._thread = clock.thread(self._run, "attacca-device")

    @property
    def lost(self) -> bool:
        """Whether the device is away now."""
        return self._lost_at is not None

    def start(self) -> None:
        """Begin watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the device is the caller's again. Stopping twice is harmless."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_LIMIT_S)

    def look(self) -> float:
        """One look, and one try when it does not work. Returns the seconds until the next look."""
        if self._lost_at is None:
            fault = self._device.fault()
            if not fault:
                return self._look_s
            self._lost_at = self._clock.now()
            remedy = "waiting for it" if fault == GONE else "opening it again"
            message = f"the sound device {self._device.info.label!r} {fault}; {remedy}"
            self._on_event(DeviceEvent("lost", self._device.name, message))
        self.tries += 1
        try:
            self._device.reopen(self._ending)
        except DeviceError:
            # Expected for as long as it is away: the event has been sent, the tries are counted.
            return self._retry_s
        away = self._clock.now() - self._lost_at
        self._lost_at = None
        message = f"the sound device {self._device.info.label!r} is back after {away:.1f} s"
        self._on_event(DeviceEvent("back", self._device.name, message, away))
        return self._look_s

    def _run(self) -> None:
        while not self._ending.is_set():
            self._ending.wait(self.look())
