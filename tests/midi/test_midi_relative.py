"""Endless encoders: what their values mean, and how they are told from knobs."""

from __future__ import annotations

import mido
import pytest
from control_tables import SHIPPED_TABLE
from hypothesis import given
from hypothesis import strategies as st
from steering_bench import Bench, cc

from engine.controls.control import FREE
from engine.errors import ConfigError
from engine.instrument import Instrument
from midi.mapping import Mapping, Source
from midi.relative import MODES, Mode, Recogniser, steps_of

TWOS, OFFSET, SIGNED = MODES[1:]
ENCODER = Source("cc", 16, 1)


def sent(steps: int, bits: int, mode: Mode) -> int:
    """What an encoder of that mode sends for so many steps."""
    if mode == "binary-offset":
        return (1 << (bits - 1)) + steps
    if mode == "signed-bit":
        return steps if steps >= 0 else (1 << (bits - 1)) - steps
    return steps % (1 << bits)


@pytest.mark.parametrize(
    ("mode", "right", "left", "far_right", "far_left"),
    [(TWOS, 1, 127, 5, 123), (OFFSET, 65, 63, 69, 59), (SIGNED, 1, 65, 5, 69)],
)
def test_the_usual_encodings_mean_steps(mode, right, left, far_right, far_left) -> None:
    found = [steps_of(value, 7, mode) for value in (right, left, far_right, far_left)]
    assert found == [1, -1, 5, -5]


@given(st.integers(-63, 63), st.sampled_from([7, 14]), st.sampled_from(MODES[1:]))
def test_steps_are_read_as_they_are_sent(steps: int, bits: int, mode: Mode) -> None:
    assert steps_of(sent(steps, bits, mode), bits, mode) == steps


# ---------------------------------------------------------------------- what a step does


@pytest.mark.parametrize("mode", MODES[1:])
def test_an_encoder_moves_a_control_from_where_it_is_and_stops_at_the_ends(bench, mode) -> None:
    bench.map(Mapping("gain", ENCODER, mode=mode), takeover=True)
    bench.touch(sent(1, 7, mode))
    assert bench["gain"] == pytest.approx(72 / 128)
    bench.touch(sent(-3, 7, mode))
    assert bench["gain"] == pytest.approx(-2 * 72 / 128)
    bench.instrument.set(gain=-30.0)  # the window moves it: nothing has to be met
    bench.touch(sent(2, 7, mode))
    assert bench["gain"] == pytest.approx(-30 + 2 * 72 / 128)
    bench.touch(*[sent(30, 7, mode)] * 10)
    assert bench["gain"] == 12.0
    bench.touch(sent(-1, 7, mode))
    assert bench["gain"] == pytest.approx(12 - 72 / 128)


def test_steps_that_come_together_add_up(bench: Bench) -> None:
    bench.map(Mapping("gain", ENCODER, mode=TWOS))
    for _ in range(5):
        bench.steering.take("nano", cc(16, 1), bench.now)
    bench.steering.settle(bench.now)
    assert bench["gain"] == pytest.approx(5 * 72 / 128)


def test_a_step_is_a_whole_value_of_a_number_and_of_a_choice(bench: Bench) -> None:
    bench.map(Mapping("steps", ENCODER, mode=TWOS))
    bench.instrument.set(steps=8)
    bench.touch(1, 1, 3, 127)
    assert bench["steps"] == 12
    bench.map(Mapping("seed", ENCODER, mode=TWOS))
    bench.instrument.set(seed=41)
    bench.touch(1)
    assert bench["seed"] == 42
    bench.map(Mapping("sampler", ENCODER, mode=TWOS))
    names = SHIPPED_TABLE["sampler"].choices
    bench.instrument.set(sampler=names[0])
    bench.touch(1, 1)
    assert bench["sampler"] == names[2]
    bench.map(Mapping("pause", ENCODER, mode=TWOS))
    bench.touch(1)
    assert bench["pause"] is True
    bench.touch(127)
    assert bench["pause"] is False


def test_an_encoder_keeps_to_its_part_of_the_range_and_may_be_turned_round(bench: Bench) -> None:
    bench.map(Mapping("temperature", ENCODER, low=0.75, high=0.5, mode=TWOS))
    bench.instrument.set(temperature=1.2)
    bench.touch(1)
    assert bench["temperature"] == pytest.approx(1.2 - 0.25 / 128)
    bench.touch(*[31] * 10)
    assert bench["temperature"] == 1.0
    bench.touch(*[97] * 10)
    assert bench["temperature"] == 1.25


def test_a_control_that_is_left_to_the_music_begins_in_the_middle() -> None:
    bench = Bench(Instrument("piano"))
    bench.map(Mapping("pack/density", ENCODER, mode=TWOS))
    assert bench["density"] == FREE
    bench.steering.take("nano", cc(16, 1), bench.now)
    control = SHIPPED_TABLE["density"]
    middle = (control.low + control.high) / 2
    (wanted,) = bench.steering._wanted.values()
    assert wanted == pytest.approx(middle + (control.high - control.low) / 128)


def test_pairs_and_parameters_may_be_relative_too(bench: Bench) -> None:
    bench.map(
        Mapping("gain", Source("cc14", 16, 1), mode=OFFSET),
        Mapping("temperature", Source("nrpn", 1, 1), mode=SIGNED),
    )
    bench.send(cc(16, 64), cc(48, 3))  # 8192 + 3
    assert bench["gain"] == pytest.approx(3 * 72 / 128)
    bench.send(cc(99, 0), cc(98, 1), cc(6, 64), cc(38, 2))  # the sign, and 2
    assert bench["temperature"] == pytest.approx(1 - 2 / 128)


# ---------------------------------------------------------------------- recognising one


def recognised(*values: int, gap: float = 0.03, bits: int = 7) -> Mode:
    found = Recogniser(bits)
    for i, value in enumerate(values):
        found.take(value, 5 + i * gap)
    return found.mode


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("gap", [0.02, 0.4])
def test_an_encoder_that_is_turned_both_ways_is_recognised(mode: Mode, gap: float) -> None:
    for steps in ([1, 1, 1, -1, -1], [-1, -1, -1, 1, 1], [1, 1, 2, 4, 2, 1, -1, -1, -3, -1]):
        values = [sent(s, 7, mode) for s in steps]
        assert recognised(*values, gap=gap) == mode
        wide = [sent(s, 14, mode) for s in steps]
        assert recognised(*wide, gap=gap, bits=14) == mode


def test_a_quick_turn_is_taken_for_the_commonest_encoding_until_the_other_way_decides() -> None:
    found = Recogniser(7)
    for i, value in enumerate([1, 1, 1]):
        found.take(value, i * 0.02)
    assert (found.mode, found.is_done) == (TWOS, False)
    for i, value in enumerate([65, 65]):
        found.take(value, 1 + i * 0.02)
    assert (found.mode, found.is_done) == (SIGNED, True)
    assert recognised(65, 65, 65) == OFFSET
    assert recognised(63, 63, 63) == OFFSET


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 2, 1],
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [127, 126, 125, 124],
        [60, 62, 63, 65, 67],  # through the middle, which it skips
        [63, 65, 63, 65, 63],  # a knob that trembles
        [64, 65, 64, 65],
        [127, 0, 127, 0],  # a button
        [127, 127, 127, 127],  # a button without release
        [0, 0, 0],
        [100, 100, 100],
        [3, 120, 3],  # a touch strip is tapped
        list(range(128)),
        list(range(127, -1, -1)),
    ],
    ids=lambda values: f"{values[0]} {values[1]} to {values[-1]}",
)
@pytest.mark.parametrize("gap", [0.005, 0.1])
def test_knobs_buttons_and_strips_are_no_encoders(values: list[int], gap: float) -> None:
    assert recognised(*values, gap=gap) == "absolute"


@given(st.integers(0, 127), st.lists(st.integers(-6, 6).filter(bool), max_size=64))
def test_a_knob_that_never_repeats_a_value_is_absolute(start: int, moves: list[int]) -> None:
    values = [start]
    for move in moves:
        value = min(max(values[-1] + move, 0), 127)
        if value != values[-1]:
            values.append(value)
    assert recognised(*values) == "absolute"


# ---------------------------------------------------------------------- learning one


def mode_of(bench: Bench) -> Mode:
    (mapping,) = bench.steering.kept.mappings
    assert mapping.source == ENCODER
    return mapping.mode


def test_an_encoder_that_is_turned_while_learning_is_learnt_as_one(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.touch(65, 65, 65, 65, 65, 65, 65)
    assert mode_of(bench) == OFFSET
    assert bench.said[-1] == "CC 16, channel 1, relative, binary-offset is mapped to gain"
    before = bench["gain"]
    bench.touch(65)
    assert bench["gain"] == pytest.approx(before + 72 / 128)


def test_an_encoder_that_is_touched_once_is_recognised_as_it_is_turned_on(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.touch(1)
    bench.wait(0.5)
    assert mode_of(bench) == "absolute"
    assert bench["gain"] == 0.0  # soft takeover: nothing jumps
    bench.touch(1, 1, 127, after=0.3)
    assert mode_of(bench) == TWOS
    assert bench.said[-1] == "CC 16, channel 1 is read as twos-complement"
    assert bench.saved[-1].mappings[0].mode == TWOS


def test_a_knob_near_its_end_is_learnt_as_a_knob(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.touch(1, 2, 3)
    bench.wait(0.2)
    bench.touch(*range(4, 128))
    assert mode_of(bench) == "absolute"
    assert bench["gain"] == 12.0


def test_a_nrpn_encoder_and_a_pair_are_recognised(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.send(cc(99, 0), cc(98, 9))
    for value in (1, 1, 1, 127, 127):
        bench.send(cc(6, value))
        bench.wait(0.02)
    assert bench.steering.kept.mappings == (Mapping("gain", Source("nrpn", 9, 1), mode=TWOS),)
    bench.steering.arm("gain")
    for value in (8193, 8193, 8193, 8193, 8191, 8191):
        bench.send(cc(17, value >> 7), cc(49, value & 127))
        bench.wait(0.02)
    assert bench.steering.kept.mappings == (Mapping("gain", Source("cc14", 17, 1), mode=OFFSET),)


def test_a_button_that_does_an_action_is_never_an_encoder(bench: Bench) -> None:
    bench.steering.arm("record")
    bench.touch(1, 1, 1, 127, 127, 1, 1)
    bench.wait(0.2)
    assert mode_of(bench) == "absolute"


# ---------------------------------------------------------------------- by hand


def test_the_mode_can_be_set_by_hand_and_is_then_left_alone(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.touch(1)
    bench.wait(0.2)
    bench.steering.set_mode("gain", SIGNED)
    assert bench.said[-1] == "the controller of gain is read as signed-bit"
    bench.touch(1, 1, 1, 127, 127)  # as a twos-complement encoder would
    assert mode_of(bench) == SIGNED
    bench.steering.set_mode("gain", "absolute")
    assert mode_of(bench) == "absolute"


def test_a_mode_that_does_not_exist_or_apply_is_refused_in_one_line(bench: Bench) -> None:
    bench.map(Mapping("gain", ENCODER), Mapping("record", Source("cc", 20)))
    for target, mode, text in (
        ("gain", "relative", "mode 'relative' is unknown; use one of absolute, twos-complement"),
        ("record", TWOS, "record is an action; use the mode absolute"),
        ("steps", TWOS, "no controller is mapped to steps; learn one first"),
    ):
        with pytest.raises(ConfigError) as refused:
            bench.steering.set_mode(target, mode)
        assert text in str(refused.value)


def test_bends_and_pressure_are_absolute_unless_it_is_set(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.send(*[mido.Message("aftertouch", value=1)] * 5, after=0.02)
    (mapping,) = bench.steering.kept.mappings
    assert mapping == Mapping("gain", Source("pressure", 0, 1))
