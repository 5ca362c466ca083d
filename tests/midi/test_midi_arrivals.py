"""One message over two paths counts once; a message that is sent twice counts twice."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steering_bench import Bench, cc, note

from midi.arrivals import WINDOW, Arrivals
from midi.mapping import Mapping, Source


def off(pitch: int, velocity: int = 64) -> mido.Message:
    return mido.Message("note_off", note=pitch, velocity=velocity)


def test_the_same_bytes_from_another_port_are_a_duplicate_and_from_the_same_port_are_not() -> None:
    arrivals = Arrivals()
    assert arrivals.classify("nano", note(36), 1.000) == "new"
    assert arrivals.classify("Attacca", note(36), 1.002) == "duplicate"
    assert arrivals.classify("nano", note(36), 1.003) == "new"
    assert arrivals.classify("nano", note(36), 1.004) == "new"
    assert arrivals.classify("Attacca", note(36), 1.005) == "duplicate"
    assert arrivals.classify("Attacca", note(36), 1.006) == "duplicate"
    assert arrivals.classify("Attacca", note(36), 1.007) == "new"  # one more than the other sent


def test_three_paths_count_once_whichever_is_first() -> None:
    arrivals = Arrivals()
    verdicts = [arrivals.classify(port, cc(7, 1), 1.0) for port in ("a2j", "Attacca", "nano")]
    assert verdicts == ["new", "duplicate", "duplicate"]
    verdicts = [arrivals.classify(port, cc(7, 1), 1.01) for port in ("nano", "a2j", "Attacca")]
    assert verdicts == ["new", "duplicate", "duplicate"]


def test_other_bytes_or_a_later_time_are_another_message() -> None:
    arrivals = Arrivals()
    assert arrivals.classify("a", note(36, 100), 1.0) == "new"
    assert arrivals.classify("b", note(36, 101), 1.0) == "new"
    assert arrivals.classify("b", note(36, 100, channel=2), 1.0) == "new"
    assert arrivals.classify("b", note(36, 100), 1.0 + WINDOW + 0.001) == "new"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 0.02)), min_size=1, max_size=60),
    st.floats(0, WINDOW * 0.9),
)
def test_whatever_a_device_repeats_is_counted_as_often_as_it_sent_it(messages, lag: float) -> None:
    """`lag` is how much longer the second path takes."""
    arrivals, events, at = Arrivals(), [], 10.0
    for value, gap in messages:
        at += gap
        events += [(at, "nano", value), (at + lag, "Attacca", value)]
    verdicts = [
        arrivals.classify(port, cc(16, value), at)
        for at, port, value in sorted(events, key=lambda event: event[0])
    ]
    assert verdicts.count("new") == verdicts.count("duplicate") == len(messages)


def test_a_trill_on_two_keyboards_loses_no_key() -> None:
    arrivals, at, verdicts = Arrivals(), 1.0, []
    for turn in range(40):  # 25 keys a second, in turns
        port, pitch = (("left", 60), ("right", 62))[turn % 2]
        verdicts += [arrivals.classify(port, m, at) for m in (note(pitch), off(pitch))]
        at += 0.04
    assert verdicts == ["new"] * 80


def test_notes_that_return_one_after_the_other_are_echoes_and_their_ends_too() -> None:
    arrivals = Arrivals()
    for i, pitch in enumerate((60, 64, 67)):
        arrivals.sent(note(pitch, 70), 1.0 + i)
        verdict = arrivals.classify("synth", note(pitch, 70), 1.02 + i)
        assert verdict == ("new" if i == 0 else "echo")
        arrivals.sent(off(pitch, 0), 1.5 + i)
        # It may come back with another velocity of release, and as a note_on of velocity 0.
        end = off(pitch) if i < 2 else note(pitch, 0)
        assert arrivals.classify("synth", end, 1.52 + i) == verdict
    arrivals.sent(cc(123, 0), 5.0)
    assert arrivals.classify("synth", cc(123, 0), 5.01) == "echo"
    assert arrivals.classify("keys", cc(123, 0), 5.02) == "new"


def test_keys_that_a_performer_plays_on_a_loop_or_by_chance_as_attacca_does_are_held() -> None:
    arrivals = Arrivals()
    for i, pitch in enumerate((60, 64, 67)):
        arrivals.sent(note(pitch, 70), 1.0 + i)
        arrivals.classify("synth", note(pitch, 70), 1.02 + i)
    assert arrivals.classify("synth", note(67, 71), 3.1) == "new"
    assert arrivals.classify("synth", note(50, 70), 3.1) == "new"
    assert arrivals.classify("keys", note(67, 70), 3.1) == "new"  # no loop there: once is chance
    # A loop that is taken apart is one no longer, as soon as a note did not return.
    arrivals.sent(note(48, 70), 10.0)
    arrivals.sent(note(50, 70), 11.0)
    assert arrivals.classify("synth", note(50, 70), 11.01) == "new"
    assert arrivals.classify("synth", off(50), 11.5) == "new"


def test_a_port_that_is_gone_is_known_no_longer() -> None:
    arrivals = Arrivals()
    for i in range(3):
        arrivals.sent(note(60 + i), 1.0 + i / 10)
        arrivals.classify("synth", note(60 + i), 1.01 + i / 10)
    assert arrivals.is_loop("synth")
    arrivals.forget("synth")
    assert not arrivals.is_loop("synth")


def test_a_flood_is_forgotten_after_the_window() -> None:
    arrivals = Arrivals()
    for i in range(20_000):
        arrivals.classify("a", cc(i % 100, i % 128), 1.0 + i * 1e-5)
        arrivals.sent(note(i % 128), 1.0 + i * 1e-5)
    arrivals.classify("a", cc(1, 1), 9.0)
    assert len(arrivals._received._order) == len(arrivals._received._by_key) == 1
    assert not arrivals._sent._order
    assert not arrivals._sent._by_key


# ---------------------------------------------------------------------- what a duplicate does


def twice(bench: Bench, *messages: mido.Message) -> None:
    """Each of the messages arrives by two ports."""
    for message in messages:
        bench.steering.take("nano", message, bench.now)
        bench.steering.take("Attacca", message, bench.now, is_duplicate=True)
        bench.steering.settle(bench.now)
        bench.wait(0.02)


@pytest.mark.parametrize("number", range(1, 4))
def test_a_pad_that_arrives_twice_switches_once(bench: Bench, number: int) -> None:
    bench.map(Mapping("pause", Source("note", 36)))
    twice(bench, *[note(36), note(36, 0)] * number)
    assert bench["pause"] is (number % 2 == 1)


def test_a_pad_is_learnt_by_the_first_of_two_messages_and_switched_by_neither(bench: Bench) -> None:
    bench.steering.arm("pause")
    twice(bench, note(36), note(36, 0))
    assert [m.source for m in bench.steering.kept.mappings] == [Source("note", 36, 1)]
    assert bench["pause"] is False


def test_a_button_a_step_and_a_pair_that_arrive_twice_count_once(bench: Bench) -> None:
    bench.map(
        Mapping("record", Source("cc", 21)),
        Mapping("gain", Source("cc", 16), mode="twos-complement"),
        Mapping("steps", Source("nrpn", 5)),
        Mapping("temperature", Source("nrpn", 6), mode="twos-complement"),
    )
    twice(bench, cc(21, 127), cc(21, 0), cc(21, 127))
    assert bench.takes == 2
    twice(bench, cc(16, 1), cc(16, 1))
    assert bench["gain"] == pytest.approx(2 * 72 / 128)
    before = bench["steps"]
    twice(bench, cc(99, 0), cc(98, 5), cc(96, 0))
    assert bench["steps"] == before + 1
    twice(bench, cc(98, 6), cc(6, 1))  # 7 bits: both ports wait for a fine half
    assert bench["temperature"] == pytest.approx(1.0 + 1 / 128)


def test_a_knob_that_changes_its_path_still_has_its_control(bench: Bench) -> None:
    bench.map(Mapping("gain", Source("cc", 7)), takeover=True)
    bench.instrument.set(gain=-24.0)
    twice(bench, cc(7, 64), cc(7, 90))
    bench.send(cc(7, 127), port="Attacca")  # the port of its own is unplugged
    assert bench["gain"] == 12.0
