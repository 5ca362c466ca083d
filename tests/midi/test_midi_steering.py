"""Controllers move controls: fed with messages, on an instrument that plays into nothing."""

from __future__ import annotations

from collections.abc import Callable

import mido
import pytest
from control_tables import SHIPPED_TABLE
from steering_bench import GAIN, Bench, cc, note

from engine.controls.bus import MIDI, Change
from engine.controls.control import FREE
from midi.mapping import Mapping, Source


def test_a_knob_reaches_both_ends_and_the_middle_exactly(bench: Bench) -> None:
    bench.map(GAIN)
    for value, gain in ((0, -60.0), (127, 12.0), (64, -24.0)):
        assert bench.send(cc(7, value)) == [True]
        assert bench["gain"] == gain


def test_a_mapping_follows_its_channel_or_all(bench: Bench) -> None:
    bench.map(GAIN, Mapping("temperature", Source("cc", 8, 0)))
    assert bench.send(cc(7, 0, channel=2)) == [False]
    assert bench["gain"] == 0.0
    bench.send(cc(8, 127, channel=2))
    assert bench["temperature"] == 1.5
    bench.send(cc(8, 0, channel=16))
    assert bench["temperature"] == 0.5


def test_a_pair_moves_in_16384_steps_and_coarsely_when_its_fine_half_is_lost(bench: Bench) -> None:
    bench.map(Mapping("gain", Source("cc14", 7, 1)))
    bench.send(cc(7, 0), cc(39, 1))
    assert bench["gain"] == pytest.approx(-60 + 72 / 16384)
    bench.send(cc(7, 127))
    assert bench["gain"] < -59  # the fine half is waited for
    bench.wait(0.02)
    assert bench["gain"] == pytest.approx(12.0, abs=0.6)
    bench.send(cc(39, 127))
    assert bench["gain"] == 12.0


def test_pitch_bend_and_channel_pressure_move_controls(bench: Bench) -> None:
    bench.map(Mapping("gain", Source("bend", 0, 9)), Mapping("temperature", Source("pressure")))
    bench.send(mido.Message("pitchwheel", pitch=-8192, channel=8))
    assert bench["gain"] == -60.0
    bench.send(mido.Message("pitchwheel", pitch=0, channel=8))
    assert bench["gain"] == -24.0
    bench.send(mido.Message("pitchwheel", pitch=8191, channel=8))
    assert bench["gain"] == 12.0
    bench.send(mido.Message("aftertouch", value=127, channel=3))
    assert bench["temperature"] == 1.5


def test_a_mapping_may_be_turned_round_and_keep_to_a_part_of_the_range(bench: Bench) -> None:
    bench.map(Mapping("temperature", Source("cc", 1, 1), low=1.0, high=0.5))
    bench.send(cc(1, 0))
    assert bench["temperature"] == 1.5
    bench.send(cc(1, 127))
    assert bench["temperature"] == 1.0


def test_switches_choices_and_what_is_left_free_follow_a_knob(bench: Bench) -> None:
    bench.map(Mapping("pause", Source("cc", 1, 1)), Mapping("sampler", Source("cc", 2, 1)))
    bench.send(cc(1, 64))
    assert bench["pause"] is True
    bench.send(cc(1, 63))
    assert bench["pause"] is False
    bench.send(cc(2, 127))
    assert bench["sampler"] == SHIPPED_TABLE["sampler"].choices[-1]


def test_a_pad_switches_there_and_back_and_plays_no_key(bench: Bench) -> None:
    bench.map(Mapping("pause", Source("note", 36, 10)))
    assert bench.send(note(36, channel=10)) == [True]
    assert bench["pause"] is True
    assert bench.send(note(36, 0, channel=10)) == [True]  # its release
    assert bench["pause"] is True
    bench.send(note(36, channel=10))
    assert bench["pause"] is False
    assert bench.send(note(37, channel=10)) == [False]


def test_actions_are_done_once_a_press(bench: Bench) -> None:
    bench.map(
        Mapping("stop", Source("cc", 20, 1)), Mapping("play", Source("note", 40, 1)),
        Mapping("record", Source("cc", 21, 1)),
    )  # fmt: skip
    bench.send(cc(20, 127), cc(20, 0))
    assert bench["pause"] is True
    bench.send(note(40))
    assert bench["pause"] is False
    bench.send(cc(21, 127), cc(21, 0), cc(21, 127), cc(21, 0))
    assert bench.takes == 2
    bench.send(cc(21, 127), cc(21, 127))  # some send no release
    assert bench.takes == 4
    bench.send(*(cc(21, v) for v in range(100, 110)))  # a fader in its upper half: no press
    assert bench.takes == 4


def test_panic_and_reset_reach_the_instrument(bench: Bench) -> None:
    events: list[str] = []
    bench.instrument.listen(lambda e: events.append(e.kind))
    bench.map(Mapping("panic", Source("cc", 20, 1)), Mapping("reset", Source("cc", 21, 1)))
    bench.send(cc(20, 127))
    assert "panic" in events
    bench.send(cc(21, 127))  # a new piece with the next block: no event, and no error
    assert bench.said == []


def test_what_comes_together_is_set_together(bench: Bench) -> None:
    changes: list[Change] = []
    remove = bench.instrument.controls.listen(changes.append)
    bench.map(GAIN, Mapping("temperature", Source("cc", 8, 1)))
    for message in (cc(7, 10), cc(8, 20), cc(7, 11)):
        bench.steering.take("nano", message, bench.now)
    bench.steering.settle(bench.now)
    remove()
    assert [(c.origin, sorted(c.new)) for c in changes] == [(MIDI, ["gain", "temperature"])]


def test_a_control_the_pack_lacks_is_reported_once_and_the_others_are_set(bench: Bench) -> None:
    bench.map(Mapping("pack/brightness", Source("cc", 1, 1)), GAIN)
    for value in (100, 110, 120):
        bench.steering.take("nano", cc(1, value), bench.now)
        bench.steering.take("nano", cc(7, value), bench.now)
        bench.steering.settle(bench.now)
    assert len(bench.said) == 1
    assert "does not have this control" in bench.said[0]
    assert bench["gain"] > 6


# ---------------------------------------------------------------------- takeover


def test_a_knob_takes_over_only_when_it_meets_the_control(bench: Bench) -> None:
    bench.map(GAIN, takeover=True)
    bench.instrument.set(gain=-24.0)  # the middle
    bench.send(cc(7, 100), cc(7, 90), cc(7, 70))
    assert bench["gain"] == -24.0
    bench.send(cc(7, 60))  # crossed
    below = bench["gain"]
    assert below < -24
    bench.send(cc(7, 100))
    assert bench["gain"] > below
    bench.instrument.set(gain=-60.0)  # the window turns it
    bench.send(cc(7, 99))
    assert bench["gain"] == -60.0
    bench.send(cc(7, 1))  # near enough
    assert bench["gain"] > -60.0


def test_takeover_can_be_off_and_never_holds_switches_or_free_controls_up(bench: Bench) -> None:
    bench.map(GAIN, takeover=False)
    bench.instrument.set(gain=-60.0)
    bench.send(cc(7, 127))
    assert bench["gain"] == 12.0
    bench.map(Mapping("pause", Source("cc", 1, 1)), takeover=True)
    bench.send(cc(1, 127))
    assert bench["pause"] is True
    from midi.takeover import Takeover

    density = SHIPPED_TABLE["density"]
    assert Takeover().takes("k", density, 0.9, 10.0, FREE, step=0.01)


def test_a_control_out_of_a_mappings_reach_is_met_at_its_end(bench: Bench) -> None:
    bench.map(Mapping("gain", Source("cc", 7, 1), low=0.5, high=1.0), takeover=True)
    bench.instrument.set(gain=-50.0)
    bench.send(cc(7, 60), cc(7, 20))
    assert bench["gain"] == -50.0
    bench.send(cc(7, 0))
    assert bench["gain"] == -24.0


def test_two_devices_with_the_same_knob_are_held_apart(bench: Bench) -> None:
    bench.map(GAIN, takeover=True)
    bench.instrument.set(gain=-24.0)
    bench.send(cc(7, 100), port="one")
    bench.send(cc(7, 10), port="two")  # not crossed: neither has met the control
    assert bench["gain"] == -24.0


# ---------------------------------------------------------------------- learning


def learnt(bench: Bench, target: str, *messages: mido.Message) -> Source:
    bench.steering.arm(target)
    bench.send(*messages)
    bench.wait(0.2)
    assert bench.steering.armed == ""
    (source,) = [m.source for m in bench.steering.kept.mappings if m.target == target]
    return source


@pytest.mark.parametrize(
    ("messages", "source"),
    [
        ([cc(20, 5, 3), cc(20, 6, 3)], Source("cc", 20, 3)),
        ([cc(20, 5), cc(52, 99)], Source("cc14", 20, 1)),
        ([cc(52, 99), cc(20, 5)], Source("cc14", 20, 1)),
        ([cc(20, 5), cc(21, 5), cc(53, 1), cc(20, 6)], Source("cc", 20, 1)),  # another trembles
        ([cc(70, 1), cc(102, 1)], Source("cc", 70, 1)),
        ([cc(123, 0), cc(10, 3)], Source("cc", 10, 1)),  # "all notes off" is no knob
        ([cc(0, 3), cc(32, 1), cc(10, 3)], Source("cc", 10, 1)),  # nor is bank select
        ([mido.Message("pitchwheel", pitch=3, channel=4)], Source("bend", 0, 5)),
        ([mido.Message("aftertouch", value=3)], Source("pressure", 0, 1)),
        ([note(60, 0), note(61)], Source("note", 61, 1)),
        ([mido.Message("clock"), mido.Message("active_sensing"), cc(1, 1)], Source("cc", 1, 1)),
    ],
    ids=str,
)
def test_the_controller_that_moves_next_is_learnt(bench: Bench, messages, source) -> None:
    assert learnt(bench, "gain", *messages) == source
    assert bench.said[-1] == f"{source} moves gain"
    assert bench.saved[-1].mappings == (Mapping("gain", source),)


def test_learning_again_replaces_and_says_what_a_controller_no_longer_moves(bench: Bench) -> None:
    learnt(bench, "gain", cc(20, 1))
    learnt(bench, "gain", cc(21, 1))
    assert bench.steering.kept.mappings == (Mapping("gain", Source("cc", 21, 1)),)
    learnt(bench, "steps", cc(21, 1))
    assert bench.steering.kept.mappings == (Mapping("steps", Source("cc", 21, 1)),)
    assert bench.said[-1].endswith("moves steps, no longer gain")
    bench.steering.forget("steps")
    assert bench.saved[-1].mappings == ()


def test_learning_can_be_cancelled(bench: Bench) -> None:
    bench.steering.arm("gain")
    bench.send(cc(1, 1))
    bench.steering.arm("")
    bench.wait(1.0)
    assert bench.steering.kept.mappings == ()


def test_a_learnt_knob_moves_its_control(bench: Bench) -> None:
    target: Callable[[], object] = lambda: bench["temperature"]  # noqa: E731
    learnt(bench, "temperature", cc(20, 60))
    bench.steering.set_takeover(False)
    bench.send(cc(20, 127))
    assert target() == 1.5
