"""Controls as a window shows them, without a screen: a clock and an engine made of a list."""

from __future__ import annotations

from dataclasses import replace

import pytest
from control_tables import SHIPPED_TABLE, SHIPPED_TURNED
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.control import Control
from engine.errors import ConfigError
from gui.models.control import FRAME, SETTLE, shown
from gui.models.controls import ControlModels
from osc.descriptions import description
from osc.values import to_osc


class Desk:
    """Controls, a clock that is turned by hand, and what was sent."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[tuple[object, ...]] = []
        self.reachable = True
        self.models = ControlModels(self.send, lambda: self.now)

    def send(self, *message: object) -> bool:
        if self.reachable:
            self.sent.append(message)
        return self.reachable

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += FRAME
            for control in self.models:
                control.flush()

    def dump(self) -> None:
        for control in self.models:
            self.models.take(control.path, to_osc(control.control, control.control.default))


@pytest.fixture
def desk(qapp) -> Desk:
    made = Desk()
    made.dump()
    return made


def test_a_knob_under_a_hand_is_not_moved_by_what_the_engine_says(desk):
    gain = desk.models["gain"]
    gain.grab()
    gain.set(-6.0)
    desk.models.take("/gain", (-3.0,))
    assert gain.value == -6.0
    desk.pass_time(2.0)
    desk.models.take("/gain", (-3.0,))
    assert gain.value == -6.0, "a hand that rests is still on it"
    gain.release()
    assert gain.value == -6.0
    desk.pass_time(2 * SETTLE)
    assert gain.value == -3.0, "what the engine said last holds once the hand has let go"


# What happens at random: a hand on, a turn, a hand off, somebody else's turn, time.
happenings = st.lists(
    st.one_of(
        st.sampled_from(["grab", "release"]),
        st.tuples(st.just("turn"), st.integers(-60, 12)),
        st.tuples(st.just("other"), st.integers(-60, 12)),
        st.tuples(st.just("time"), st.floats(0.0, 1.0)),
    ),
    max_size=40,
)


@given(happenings)
def test_in_the_end_the_engine_and_the_window_agree_and_no_hand_was_fought(qapp, happenings):
    desk = Desk()
    desk.dump()
    gain, holds, heard, hand = desk.models["gain"], 0.0, 0, None

    def answer() -> None:
        """The engine applies what came, and tells it."""
        nonlocal holds, heard
        for message in desk.sent[heard:]:
            if message[0] == "/gain":
                changed = len(message) == 2 and message[1] != holds
                holds = message[1] if len(message) == 2 else holds
                if changed or len(message) == 1:
                    desk.models.take("/gain", (holds,))
        heard = len(desk.sent)

    for one in happenings:
        if one == "grab":
            gain.grab()
            hand = gain.value
        elif one == "release":
            gain.release()
            hand = None
        elif one[0] == "turn":
            gain.set(float(one[1]))
            hand = gain.value if hand is not None else None
        elif one[0] == "other":
            holds = float(one[1])
            desk.models.take("/gain", (holds,))
        else:
            desk.pass_time(one[1])
            answer()
        assert hand is None or gain.value == hand
    gain.release()
    for _ in range(4):
        desk.pass_time(2 * SETTLE)
        answer()
    assert gain.value == holds
    assert not gain.is_busy


def test_what_others_turn_is_shown_at_once_where_no_hand_is(desk):
    seen = []
    gain = desk.models["gain"]
    gain.changed.connect(lambda: seen.append(gain.value))
    desk.models.take("/gain", (-12.5,))
    assert seen == [-12.5]
    assert not desk.sent


def test_a_thousand_turns_a_second_are_sixty_sendings_and_the_last_is_among_them(desk):
    gain = desk.models["gain"]
    gain.grab()
    for i in range(1000):
        desk.now += 0.001
        gain.set(-i / 100)
        gain.flush()
    gain.release()
    desk.pass_time(0.2)
    values = [m for m in desk.sent if m[0] == "/gain" and len(m) == 2]
    assert 30 <= len(values) <= 62
    assert values[0] == ("/gain", -0.01)
    assert values[-1] == ("/gain", -9.99)


def test_a_block_control_is_pending_from_the_turn_until_it_is_audible(desk):
    steps = desk.models["steps"]
    assert steps.pending_seconds is None
    steps.set(12)
    assert steps.pending_seconds == 0.0
    desk.models.take("/steps", (12,))
    desk.models.take("/steps/pending", (12, 1.5))
    desk.now += 0.5
    assert steps.pending_seconds == pytest.approx(1.0)
    desk.models.take("/steps/pending", (12, 0.0))
    assert steps.pending_seconds is None
    gain = desk.models["gain"]
    gain.set(-1.0)
    assert gain.pending_seconds is None, "a live control is heard at once"


def test_a_refused_value_goes_back_to_what_holds(desk):
    density = desk.models["density"]
    density.set(5.0)
    assert density.value == 5.0
    assert desk.models.take("/error", ("/pack/density", "value", "refused"))
    assert density.is_free
    assert density.pending_seconds is None


def test_a_value_without_a_reply_is_requested_and_then_shown(desk):
    gain = desk.models["gain"]
    gain.set(-20.0)
    desk.pass_time(1.0)
    assert ("/gain",) in desk.sent
    desk.models.take("/gain", (0.0,))
    assert gain.value == 0.0


def test_nothing_is_shown_as_turned_where_no_engine_is(desk):
    gain = desk.models["gain"]
    desk.models.take_lost()
    assert not gain.is_enabled
    desk.reachable = False
    gain.set(-20.0)
    desk.models.take("/gain", (0.0,))
    assert gain.value == 0.0
    assert gain.is_enabled


def describe(models: ControlModels, *controls: Control) -> None:
    for control in controls:
        models.take("/controls/info", (f"/{control.name}", description(control)))
    models.take("/controls/end", (len(controls),))


def test_the_engine_describes_the_controls_that_there_are(desk):
    models, rebuilt = desk.models, []
    models.table_changed.connect(lambda: rebuilt.append(1))
    gain = models["gain"]
    steps = replace(SHIPPED_TABLE["steps"], default=16)
    mood = Control("pack/mood", "text", "", "block", "What it is like.", group="play", free=True)
    describe(models, SHIPPED_TABLE["gain"], steps, SHIPPED_TABLE["density"], mood)
    assert len(rebuilt) == 1
    assert models["gain"] is gain, "what stays the same keeps its model"
    assert "room" not in models
    models["steps"].reset()
    assert models["steps"].value == 16
    assert not models["mood"].is_enabled, "its value is not known yet"
    models.take("/pack/mood", ("rain", 1.0, "sun", 0.5))
    assert models["mood"].text == "rain (1), sun (0.5)"
    models["mood"].set_text("slow, and quiet")
    desk.pass_time(0.1)
    assert desk.sent[-1] == ("/pack/mood", "slow, and quiet")
    models.restore({"room": 0.9, "pack/density": 4.0, "no_such": 1})
    assert models["density"].value == 4.0
    describe(models, SHIPPED_TABLE["gain"], steps, SHIPPED_TABLE["density"], mood)
    assert len(rebuilt) == 1, "the same again builds nothing"


def test_float32_does_not_make_up_digits(desk):
    desk.models.take("/temperature", (0.30000001192092896 + 0.5,))
    assert desk.models["temperature"].value == 0.8


@pytest.mark.parametrize("control", SHIPPED_TURNED, ids=lambda p: p.name)
def test_every_control_goes_from_0_to_1_and_says_its_value_with_its_unit(desk, control):
    model = desk.models[control.name]
    model.set_norm(1.0)
    assert model.norm == pytest.approx(1.0)
    assert model.value == {"choice": control.choices[-1:], "switch": (True,)}.get(
        control.kind, (control.high,)
    )[0]  # fmt: skip
    assert control.unit in model.text
    model.set_norm(0.0)
    assert model.norm == pytest.approx(0.0)
    model.reset()
    assert model.value == control.default
    with pytest.raises(ConfigError):
        model.set("no such value")


def test_values_are_written_for_people():
    assert shown(SHIPPED_TABLE["gain"], -6.0) == "\N{MINUS SIGN}6.0 dB"
    assert shown(SHIPPED_TABLE["temperature"], 0.9) == "0.90"
    assert shown(SHIPPED_TABLE["steps"], 8) == "8"
    assert shown(SHIPPED_TABLE["pause"], True) == "on"
    assert shown(SHIPPED_TABLE["density"], "free") == "free"


def test_every_control_is_in_a_group(desk):
    grouped = [c.control.name for controls in desk.models.groups().values() for c in controls]
    assert sorted(grouped) == sorted(p.name for p in SHIPPED_TABLE.with_parts)
    assert next(iter(desk.models.groups())) == SHIPPED_TABLE["gain"].group
