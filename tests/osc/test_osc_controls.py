"""Setting, getting and hearing of controls, over real sockets, beside an instrument that plays."""

from __future__ import annotations

import time

import pytest
from control_tables import ENGINE_SPACE, ENGINE_TABLE


def answers(program, *also):
    """All that has come by the time a /ping is answered."""
    first = len(program.heard)
    program.send("/ping")
    program.wait("/pong")
    return [said for said in program.heard[first:] if said[0] != "/pong"]


def test_a_set_is_applied_clipped_and_echoed(program, instrument):
    one = program()
    assert one.ask("/gain", 3.0) == ("/gain", 3.0)
    assert instrument.settings["gain"] == 3.0
    assert one.ask("/gain", 1000) == ("/gain", 12.0)
    assert instrument.settings["gain"] == 12.0
    assert one.ask("/gain") == ("/gain", 12.0)
    assert one.ask("/gain/norm", 0.5) == ("/gain/norm", 0.5)
    assert instrument.settings["gain"] == pytest.approx(-24.0)
    assert one.ask("/gain/norm") == ("/gain/norm", 0.5)


@pytest.mark.parametrize(("sent", "address", "applied"), [
    ((7, "i"), "/steps", 7), ((9.0, "f"), "/steps", 9), ((11.0, "d"), "/steps", 11),
    ((13, "h"), "/steps", 13), (("15", "s"), "/steps", 15), ((True, "T"), "/pause", 1),
    ((False, "F"), "/pause", 0), (("heun", "s"), "/sampler", "heun"),
    ((1, "i"), "/sampler", "ddim"),
])  # fmt: skip
def test_every_type_is_taken(program, sent, address, applied):
    assert program().ask(address, sent) == (address, applied)


def test_every_control_is_got_at_its_address(program, instrument):
    one = program()
    for p in ENGINE_TABLE:
        path = ENGINE_SPACE.of(p.name).path
        (_, value) = one.ask(path)
        held = instrument.settings[p.name]
        assert value == (int(held) if isinstance(held, bool) else pytest.approx(held, rel=1e-6)
                         if isinstance(held, float) else held)  # fmt: skip


def test_a_block_control_is_pending_until_it_is_audible(program, instrument):
    one = program()
    began = time.monotonic()
    one.send("/temperature", 0.75)
    assert one.wait("/temperature") == ("/temperature", 0.75)
    _, value, seconds = one.wait("/temperature/pending")
    assert value == 0.75
    assert 0.05 < seconds < instrument.latencies().total + 0.6
    _, value, _left = one.wait("/temperature/pending", lambda m: m[2] == 0)
    assert value == 0.75
    assert time.monotonic() - began == pytest.approx(seconds, abs=0.15)
    assert not instrument.status().stream.pending


def test_what_is_pending_stands_still_while_the_music_is_held(program):
    one = program()
    one.ask("/pause", 1)
    one.send("/temperature", 0.8)
    _, _, seconds = one.wait("/temperature/pending")
    held = one.listen(seconds + 0.5)
    assert not [m for m in held if m[0] == "/temperature/pending"]
    one.send("/pause", 0)
    one.wait("/temperature/pending", lambda m: m[2] == 0)


def test_a_live_control_is_never_pending(program):
    one = program()
    one.ask("/gain", -1.0)
    assert not [m for m in one.listen(0.3) if m[0].endswith("/pending")]


def test_others_receive_a_change_and_the_sender_receives_it_once(program):
    one, two, three = program(), program(), program()
    one.send("/subscribe")
    two.send("/subscribe")
    three.send("/subscribe", "/s*")
    for p in (one, two, three):
        answers(p)
    one.send("/gain", -3.0)
    assert two.wait("/gain") == ("/gain", -3.0)
    assert [m for m in one.listen(0.2) if m[0] == "/gain"] == [("/gain", -3.0)]
    assert three.listen(0.1) == []
    two.send("/steps", 6)
    assert three.wait("/steps") == ("/steps", 6)
    assert one.wait("/steps") == ("/steps", 6)


def test_programs_that_repeat_what_they_receive_come_to_rest(program):
    one, two = program(), program()
    for p in (one, two):
        p.send("/subscribe")
        answers(p)
    one.send("/gain", -7.25)
    count, end = 0, time.monotonic() + 1.0
    while time.monotonic() < end:
        for p in (one, two):
            for said in p.listen(0.02):
                if said[0] == "/gain":
                    count += 1
                    p.send(*said)
    assert 1 <= count < 6


def test_a_subscription_to_the_twins_and_its_end(program):
    one, two = program(), program()
    one.send("/subscribe", "/*/norm")
    answers(one)
    two.send("/gain", 12.0)
    assert one.wait("/gain/norm") == ("/gain/norm", 1.0)
    assert not [m for m in one.heard if m[0] == "/gain"]
    one.send("/unsubscribe", "/*/norm")
    answers(one)
    two.send("/gain", 0.0)
    assert one.listen(0.3) == []


def test_answers_and_changes_go_to_the_requested_port(program):
    sender, receiver, other = program(), program(), program()
    sender.send("/subscribe", receiver.port, "/gain")
    other.send("/gain", 5.0)
    assert receiver.wait("/gain") == ("/gain", 5.0)
    sender.send("/gain", 6.0)
    assert receiver.wait("/gain") == ("/gain", 6.0)
    assert sender.listen(0.2) == []


def test_a_lease_ends_and_any_message_renews_it(instrument, tmp_path):
    from osc_program import Program

    from osc.server import OscServer

    with OscServer(instrument, port=0, library=tmp_path, lease=0.6) as server:
        silent, lively, setter = (Program(server.port) for _ in range(3))
        for p in (silent, lively):
            p.send("/subscribe", "/gain")
        for _ in range(5):
            time.sleep(0.25)
            lively.send("/ping")
        setter.send("/gain", 4.0)
        assert lively.wait("/gain") == ("/gain", 4.0)
        assert not [m for m in silent.listen(0.2) if m[0] == "/gain"]
        for p in (silent, lively, setter):
            p.close()


def test_patterns_set_and_get_many(program, instrument):
    one = program()
    one.send("/{gain,seed}", 5)
    assert {one.wait("/gain"), one.wait("/seed")} == {("/gain", 5.0), ("/seed", 5)}
    assert (instrument.settings["gain"], instrument.settings["seed"]) == (5.0, 5)
    two = program()
    two.send("/lock/*")
    assert [m[0] for m in answers(two)] == ["/lock/gain", "/lock/seed"]


def test_a_pattern_never_presses_a_button(program, instrument):
    before = len(instrument.events)
    one = program()
    one.send("/p*", 0)
    answers(one)
    assert len(instrument.events) == before
    one.send("/panic*", 1)
    assert one.wait("/error")[1:3] == ("/panic*", "unknown")


def test_changes_from_python_are_published_over_osc(program, instrument):
    one = program()
    one.send("/subscribe")
    answers(one)
    instrument.set(gain=-11.0, temperature=0.9)
    assert one.wait("/gain") == ("/gain", -11.0)
    assert one.wait("/temperature/pending", lambda m: m[2] == 0)[1] == pytest.approx(0.9)


def test_a_dump_has_every_control_in_small_packets(program):
    one = program()
    one.send("/dump")
    assert one.wait("/dump/end") == ("/dump/end", len(ENGINE_TABLE))
    got = {m[0] for m in one.heard}
    assert {ENGINE_SPACE.of(p.name).path for p in ENGINE_TABLE} <= got
    assert max(one.sizes) < 1400


@pytest.mark.parametrize(("message", "code", "words"), [
    (("/gain", "loud"), "value", "not a number"), (("/gian", 1), "unknown", "attacca osc"),
    (("/pack/harmony/c", 1.0), "unknown", "is no address"),
    (("/gain", 1.0, 2.0), "value", "takes one"),
    (("/[x", 1), "value", "does not close"), (("/nothing*", 1), "unknown", "no control"),
    (("/subscribe", "/nothing*"), "value", "matches no control"),
    (("/subscribe", 99999), "value", "no port"), (("/pack/held", 60), "unknown", "is no address"),
    (("/preset/recall", "../x"), "value", "cannot be a name"),
    (("/error", 1), "unknown", "no address"),
    (("/redo", 1), "value", "nothing is left"), (("/panic", "x"), "value", "not a number"),
])  # fmt: skip
def test_every_refusal_is_one_error_that_names_address_and_reason(program, message, code, words):
    one = program()
    one.send(*message)
    error = one.wait("/error")
    assert error[1:3] == (message[0], code)
    assert words in error[3]
    assert "\n" not in error[3]


def test_what_a_pattern_cannot_set_does_not_keep_it_from_the_rest(program, instrument):
    one = program()
    one.send("/{gain,sampler}", "euler")  # no number, but a sampler
    assert one.wait("/sampler") == ("/sampler", "euler")
    assert instrument.settings["gain"] == 0.0
