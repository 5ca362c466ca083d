"""NRPN and RPN: one knob, one number, whatever else goes on in its channel."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steering_bench import Bench, cc

from midi.controllers import Controllers
from midi.mapping import Mapping, Source


def nrpn(number: int, *data: int, channel: int = 1) -> list[mido.Message]:
    """A device selects a parameter and sends the coarse half of its value, perhaps the fine too."""
    select = [cc(99, number >> 7, channel), cc(98, number & 127, channel)]
    return select + [cc(c, v, channel) for c, v in zip((6, 38), data, strict=False)]


def rpn(number: int, *data: int) -> list[mido.Message]:
    select = [cc(101, number >> 7), cc(100, number & 127)]
    return select + [cc(c, v) for c, v in zip((6, 38), data, strict=False)]


GAIN = Mapping("gain", Source("nrpn", 300, 1))
HEAT = Mapping("temperature", Source("nrpn", 301, 1))


def test_two_nrpn_knobs_are_learnt_by_number_and_do_not_move_each_other(bench: Bench) -> None:
    bench.steering.set_takeover(False)
    for target, number in (("gain", 300), ("temperature", 301)):
        bench.steering.arm(target)
        bench.send(*nrpn(number, 10, 3), after=0.0005)
        bench.wait(0.05)
    assert [(m.target, str(m.source)) for m in bench.steering.kept.mappings] == [
        ("gain", "NRPN 300, channel 1"), ("temperature", "NRPN 301, channel 1"),
    ]  # fmt: skip
    before = bench["temperature"]
    bench.send(*nrpn(300, 127, 127))
    assert bench["gain"] == 12.0
    assert bench["temperature"] == before
    bench.send(*nrpn(301, 0, 0))
    assert (bench["gain"], bench["temperature"]) == (12.0, 0.5)


@pytest.mark.parametrize(
    ("messages", "source"),
    [
        (nrpn(300, 5, 9), Source("nrpn", 300, 1)),
        (nrpn(300, 5), Source("nrpn", 300, 1)),
        ([*nrpn(300), cc(96, 0)], Source("nrpn", 300, 1)),
        ([*nrpn(300), cc(97, 0)], Source("nrpn", 300, 1)),
        (rpn(2, 5, 9), Source("rpn", 2, 1)),
        ([*rpn(2), *nrpn(300, 1)], Source("nrpn", 300, 1)),  # what was selected last
        ([*nrpn(300), *rpn(127 << 7 | 127), cc(6, 1)], Source("cc", 6, 1)),
        ([*nrpn(127 << 7 | 127), cc(6, 1), cc(38, 1)], Source("cc14", 6, 1)),
        ([*nrpn(300), cc(121, 0), cc(6, 1)], Source("cc", 6, 1)),  # all controllers are reset
        ([cc(99, 2), cc(6, 1)], Source("cc", 6, 1)),  # half an address selects nothing
        ([*nrpn(300, channel=2), cc(6, 1)], Source("cc", 6, 1)),  # selected on another channel
    ],
    ids=lambda value: str(value) if isinstance(value, Source) else f"{len(value)} messages",
)
def test_what_is_selected_decides_what_data_entry_is_learnt_as(bench, messages, source) -> None:
    bench.steering.arm("gain")
    bench.send(*messages)
    bench.wait(0.2)
    assert [m.source for m in bench.steering.kept.mappings] == [source]


def test_14_bits_are_exact_and_7_bits_reach_both_ends(bench: Bench) -> None:
    bench.map(GAIN)
    bench.send(*nrpn(300, 0, 1))
    assert bench["gain"] == pytest.approx(-60 + 72 / 16384)
    bench.send(*nrpn(300, 127, 127))
    assert bench["gain"] == 12.0
    for value, gain in ((0, -60.0), (127, 12.0), (64, -24.0)):
        bench.send(*nrpn(300, value))
        bench.wait(0.02)
        assert bench["gain"] == gain


def test_a_device_of_7_bits_is_waited_for_once_only(bench: Bench) -> None:
    bench.map(GAIN)
    bench.send(*nrpn(300, 0))
    assert bench["gain"] == 0.0  # a fine half may follow
    bench.wait(0.02)
    assert bench["gain"] == -60.0
    bench.send(*nrpn(300, 127))
    assert bench["gain"] == 12.0


def test_a_parameter_stays_selected_while_its_data_goes_on(bench: Bench) -> None:
    bench.map(GAIN, HEAT)
    bench.send(*nrpn(300, 0, 0), cc(6, 127), cc(38, 127))
    assert bench["gain"] == 12.0
    bench.send(cc(98, 301 & 127), cc(6, 127), cc(38, 127))  # the coarse half as before
    assert bench["temperature"] == 1.5
    bench.send(cc(38, 0))  # the fine half alone, of a coarse half that is known
    assert bench["temperature"] == pytest.approx(0.5 + 127 / 128, abs=1e-3)


def test_ordinary_cc_6_and_38_are_knobs_while_nothing_is_selected(bench: Bench) -> None:
    bench.map(GAIN, Mapping("temperature", Source("cc14", 6, 1)))
    bench.send(cc(6, 0), cc(38, 0))
    assert bench["temperature"] == 0.5
    bench.send(*nrpn(300, 127, 127))
    assert (bench["gain"], bench["temperature"]) == (12.0, 0.5)
    bench.send(*nrpn(127 << 7 | 127), cc(6, 127), cc(38, 127))
    assert bench["temperature"] == 1.5
    bench.send(*nrpn(300, 0, 0), cc(7, 3))  # another knob between
    assert (bench["gain"], bench["temperature"]) == (-60.0, 1.5)


def test_the_selection_is_each_ports_own_and_goes_with_it(bench: Bench) -> None:
    bench.map(GAIN)
    bench.send(*nrpn(300), port="one")
    assert bench.send(cc(6, 1), cc(38, 1), port="two") == [False, False]
    assert bench["gain"] == 0.0
    bench.steering.forget_port("one")
    assert bench.send(cc(6, 1), port="one") == [False]


def test_increment_and_decrement_are_steps_from_where_the_control_is(bench: Bench) -> None:
    bench.map(GAIN, Mapping("steps", Source("rpn", 9)), Mapping("record", Source("nrpn", 7)))
    bench.send(*nrpn(300), cc(96, 0), cc(96, 127), cc(97, 0))
    assert bench["gain"] == pytest.approx(72 / 128)
    before = bench["steps"]
    bench.send(*rpn(9), cc(96, 0), cc(96, 0))
    assert bench["steps"] == before + 2
    bench.send(*nrpn(7), cc(96, 0), cc(97, 0))
    assert bench.takes == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([6, 7, 38, 96, 97, 98, 99, 100, 101, 121]), st.integers(0, 127)),
        max_size=60,
    )
)
def test_whatever_comes_each_move_belongs_to_what_was_selected_last(messages) -> None:
    controllers = Controllers(lambda *_: False)
    halves: dict[str, list[int | None]] = {"nrpn": [None, None], "rpn": [None, None]}
    kind = ""
    for i, (number, value) in enumerate(messages):
        moves = controllers.take("a", cc(number, value), i * 1.0)
        moves += [moved for _, moved in controllers.due(i + 0.5)]
        if number == 121:
            halves, kind = {"nrpn": [None, None], "rpn": [None, None]}, ""
        elif 98 <= number <= 101:
            kind = "nrpn" if number < 100 else "rpn"
            halves[kind][0 if number % 2 else 1] = value
        coarse, fine = halves[kind] if kind else (None, None)
        if coarse is None or fine is None or (coarse, fine) == (127, 127):
            assert [m.source.kind for m in moves] == ([] if number == 121 else ["cc"])
        elif number in (6, 38, 96, 97):
            assert {m.source for m in moves} <= {Source(kind, coarse * 128 + fine, 1)}  # type: ignore[arg-type]
            assert moves or number == 38  # a fine half alone may say nothing
        else:
            assert [m.source.number for m in moves] == ([] if number == 121 else [number])
