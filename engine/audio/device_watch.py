"""Watches a device during playback, and reopens it when it is lost or stuck.

`DeviceWatch` has its own thread. The mixer does not depend on it: while the device reads nothing
from the ring, the mixer waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.audio.device import LOST, OutputDevice
from engine.errors import DeviceError
from engine.time.clock import Clock

__all__ = ["DeviceEvent", "DeviceWatch"]

_STOP_LIMIT_S = 1.0  # a hung listener blocks nothing else


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """A device was lost, or is back.

    Attributes
    ----------
    kind : {'lost', 'back'}
    device : str
        The requested name.
    message : str
        One line for the performer.
    """

    kind: Literal["lost", "back"]
    device: str
    message: str


class DeviceWatch:
    """Checks a device several times a second, and reopens it by name until it works.

    Parameters
    ----------
    device : OutputDevice
        Started.
    on_event : callable
        Called with each `DeviceEvent` in the watch's thread; must not wait.
    clock : Clock
    look_s, retry_s : float
        Seconds between checks, and between attempts to reopen.
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
        """Whether the device is lost now."""
        return self._lost_at is not None

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; stopping twice is harmless."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_LIMIT_S)

    def look(self) -> float:
        """Check the device once, and try to reopen it if it fails. Returns the seconds to wait."""
        if self._lost_at is None:
            fault = self._device.fault()
            if not fault:
                return self._look_s
            self._lost_at = self._clock.now()
            remedy = "waiting for it" if fault == LOST else "reopening it"
            message = f"the sound device {self._device.info.label!r} {fault}; {remedy}"
            self._on_event(DeviceEvent("lost", self._device.name, message))
        self.tries += 1
        try:
            self._device.reopen(self._ending)
        except DeviceError:
            # Expected while the device is lost: the event has been sent, the tries are counted.
            return self._retry_s
        away = self._clock.now() - self._lost_at
        self._lost_at = None
        message = f"the sound device {self._device.info.label!r} is back after {away:.1f} s"
        self._on_event(DeviceEvent("back", self._device.name, message))
        return self._look_s

    def _run(self) -> None:
        while not self._ending.is_set():
            self._ending.wait(self.look())
