"""Undo and redo: what counts as one gesture, and what is left alone."""

from __future__ import annotations

import pytest

from engine.controls.history import PAUSE, History
from engine.errors import ConfigError


class Wall:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_gesture_is_what_one_hand_does_without_a_pause():
    wall = Wall()
    history = History(wall)

    def turn(who, name, before, after):
        history.add(who, {name: before}, {name: after})
        wall.now += 0.1

    turn("a", "gain", 0, 1)
    turn("a", "gain", 1, 2)
    turn("b", "gain", 2, 5)
    turn("a", "seed", 1, 7)
    wall.now += PAUSE
    turn("a", "seed", 7, 8)
    assert [history.undo() for _ in range(4)] == [
        {"seed": 7},
        {"seed": 1},
        {"gain": 2},
        {"gain": 0},
    ]
    with pytest.raises(ConfigError, match="nothing is left"):
        history.undo()
    assert [history.redo() for _ in range(2)] == [{"gain": 2}, {"gain": 5}]
    turn("a", "gain", 5, 6)
    with pytest.raises(ConfigError, match="redo"):
        history.redo()
    assert history.undo() == {"gain": 5}


def test_history_is_bounded():
    wall = Wall()
    history = History(wall)
    for i in range(1000):
        wall.now += 2
        history.add("a", {"gain": i}, {"gain": i + 1})
    for _ in range(200):
        assert history.undo()
    with pytest.raises(ConfigError, match="nothing is left"):
        history.undo()


def test_undo_passes_over_what_is_locked_and_finds_it_again_when_it_is_not():
    wall = Wall()
    history = History(wall)
    history.add("a", {"seed": 1, "density": 2}, {"seed": 5, "density": 6})
    wall.now += 2 * PAUSE
    history.add("a", {"gain": 0}, {"gain": -6})
    assert history.undo({"gain", "seed"}) == {"density": 2}
    assert history.redo({"gain", "seed"}) == {"density": 6}
    with pytest.raises(ConfigError, match="nothing is left"):
        history.undo({"gain", "seed", "density"})
    assert history.undo() == {"seed": 1, "density": 2}
    assert history.undo() == {"gain": 0}
