"""Controls, tempo and what they report, without an instrument; a test holds the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from control_tables import shipped_settings

from engine.controls.bus import PYTHON, TEMPO, ControlBus
from engine.controls.settings import Settings
from engine.time.tempo import Tempo


def bare_bus(now: Callable[[], float] = time.monotonic, **controls) -> ControlBus:
    """A bus of the shipped pack's controls."""
    return ControlBus(
        shipped_settings(**controls), apply=lambda *_: None, lock=threading.RLock(), now=now,
    )  # fmt: skip


class TempoDesk:
    """A tempo on a bus of its own."""

    def __init__(self, now: Callable[[], float] = time.monotonic, **controls) -> None:
        self.bus = bare_bus(**controls)
        self.said: list[str] = []
        self.tempo = Tempo(
            self.bus.settings, lambda values, seen: self.bus.set(values, TEMPO, seen=seen),
            self.say, now,
        )  # fmt: skip
        self.bus.listen(self.tempo.add_change)

    @property
    def settings(self) -> Settings:
        return self.bus.settings

    def set(self, **controls) -> None:
        self.bus.set(controls, PYTHON)

    def say(self, _kind: str, text: str) -> None:
        self.said.append(text)
