"""Controllers return to moments of the music: buttons learnt for snapshots, going back, a fork."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from steering_bench import Bench, cc

from engine.errors import ConfigError, StorageError
from engine.instrument import Instrument
from midi.mapping import ACTIONS, Mapping, Source
from midi.moments import Moments


@pytest.fixture
def history(instrument: Instrument) -> None:
    """Three seconds to go back by."""
    instrument.set(tempo=120.0, beats=4)
    end = time.monotonic() + 30
    while instrument.history_seconds() < 3.0:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("action", ACTIONS[5:])
def test_each_action_is_learnt_and_pressed_once_per_press(bench: Bench, action: str) -> None:
    bench.steering.arm(action)
    bench.touch(127, 0, 127)
    bench.wait(1.0)
    assert [m.target for m in bench.steering.kept.mappings] == [action]
    bench.map(Mapping(action, Source("cc", 20, 1)))
    bench.pressed.clear()
    bench.send(cc(20, 127), cc(20, 0), cc(20, 127), cc(20, 0))
    assert bench.pressed == [action, action]


def test_the_actions_do_what_they_say(
    instrument: Instrument, history: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def now(work: Callable[[], object]) -> None:
        work()

    actions = Moments(instrument, tmp_path / "snapshots", said.append, now).actions()
    assert set(actions) == set(ACTIONS[5:])
    with pytest.raises(ConfigError, match="no snapshot was taken yet"):
        actions["snapshot/recall"]()
    instrument.set(seed=7, temperature=0.7)
    actions["snapshot/take"]()
    assert [p.name for p in (tmp_path / "snapshots").iterdir()] == ["Snapshot 1.attacca-snapshot"]
    actions["fork"]()
    assert instrument.settings["seed"] == 8
    instrument.set(temperature=1.3)
    actions["snapshot/recall"]()
    assert (instrument.settings["seed"], instrument.settings["temperature"]) == (7, 0.7)
    assert said == ["snapshot 'Snapshot 1' taken", "forked with seed 8", "snapshot 'Snapshot 1'"]
    asked: list[dict[str, float]] = []
    monkeypatch.setattr(instrument, "go_back", lambda **more: asked.append(more))
    for name in ("go_back/beats", "go_back/bars", "go_back/blocks"):
        actions[name]()
    assert asked == [{"beats": 1}, {"beats": 4}, {"blocks": 1}]


def test_a_folder_that_cannot_be_created_is_one_line(
    instrument: Instrument, history: None, tmp_path: Path
) -> None:
    (tmp_path / "snapshots").write_bytes(b"a file where the folder should be")
    moments = Moments(instrument, tmp_path / "snapshots", lambda _: None, lambda work: work())
    with pytest.raises(StorageError, match="cannot be written") as caught:
        moments.actions()["snapshot/take"]()
    assert "\n" not in str(caught.value)
