"""The keys of `attacca play` that return to moments of the music."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacca.terminal.displays import SilentDisplay
from attacca.terminal.keys import NoKeys
from attacca.terminal.performance import Performance
from attacca.terminal.stopping import Stopping
from engine.instrument import Instrument
from engine.snapshots import Snapshots
from engine.time.clock import SystemClock


class Display(SilentDisplay):
    """Remembers what it was to say."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def event(self, kind: str, text: str) -> None:
        self.said.append((kind, text))


def test_keys_take_recall_go_back_and_fork(
    instrument: Instrument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = time.monotonic() + 30
    while instrument.history_seconds() < 1.0:
        assert time.monotonic() < end
        time.sleep(0.05)
    display = Display()
    performance = Performance(
        instrument, display, NoKeys(), Stopping(), clock=SystemClock(), duration=None,
        new_seed=lambda: 1, snapshots=Snapshots(tmp_path),
    )  # fmt: skip
    instrument.set(seed=30, beats=3)
    asked: list[dict[str, float]] = []
    performance._press("l")
    performance._press("k")
    performance._press("f")
    performance._press("l")
    monkeypatch.setattr(instrument, "go_back", lambda **more: asked.append(more))
    performance._press("b")
    assert asked == [{"beats": 3.0}]
    assert instrument.settings["seed"] == 30
    assert [kind for kind, _ in display.said] == ["error", "snapshot", "fork", "snapshot", "back"]
    assert [text for _, text in display.said][1:4] == [
        "'Snapshot 1' taken", "seed 31", "'Snapshot 1'",
    ]  # fmt: skip
