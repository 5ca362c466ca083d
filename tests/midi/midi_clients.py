"""Other clients of JACK's MIDI, for tests: a controller, and somebody who hears the notes.

A test that imports this is skipped where python-rtmidi cannot be had.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import mido
import pytest

rtmidi = pytest.importorskip("rtmidi", reason="python-rtmidi has no wheel for this Python")
if sys.platform != "linux":
    pytest.skip("JACK's MIDI is tested on Linux", allow_module_level=True)


def until(true: Callable[[], Any], what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.01)


class Device:
    """A controller with keys."""

    def __init__(self, name: str) -> None:
        self._out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name)
        self._out.open_virtual_port("port")

    def send(self, kind: str, **values: int) -> None:
        self._out.send_message(mido.Message(kind, **values).bytes())

    def unplug(self) -> None:
        self._out.close_port()
        self._out.delete()


class Listener:
    """Somebody who connects to Attacca's own output, or has an input that Attacca finds."""

    def __init__(self, name: str, to: str = "") -> None:
        self.heard: list[tuple[float, mido.Message]] = []
        self._in = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name)
        self._in.set_callback(self._take)
        if to:
            until(lambda: any(to in p for p in self._in.get_ports()), f"{to} is there")
            (index,) = [i for i, p in enumerate(self._in.get_ports()) if to in p]
            self._in.open_port(index, "port")
        else:
            self._in.open_virtual_port("port")

    def _take(self, event: tuple[list[int], float], _: object) -> None:
        self.heard.append((time.monotonic(), mido.Message.from_bytes(event[0])))

    def notes(self) -> list[mido.Message]:
        return [m for _, m in self.heard if m.type in ("note_on", "note_off")]

    def sounding(self) -> set[int]:
        down: set[int] = set()
        for message in self.notes():
            (down.add if message.type == "note_on" else down.discard)(message.note)
        return down

    def close(self) -> None:
        self._in.cancel_callback()
        self._in.close_port()
        self._in.delete()
