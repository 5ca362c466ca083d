"""Packets that are good OSC and ask for too much: no one of them holds the others up."""

from __future__ import annotations

import struct
import time

import pytest
from control_tables import ENGINE_SPACE

from benchmarks.live import resident_mb
from osc.clients import Clients
from osc.endpoint import Peer
from osc.packets import message
from osc.schedule import MOST_BYTES
from tests.fuzz.osc_corpus import bundle, kept

HEAVY = ("patterns-64k", "bundle-of-asking", "bundle-of-all", "bundle-of-times")


@pytest.mark.parametrize("name", HEAVY)
def test_a_packet_that_asks_for_too_much_is_cut_short_and_says_so(program, name):
    one, other = program(), program()
    one.raw(kept()[name])
    began = time.monotonic()
    other.ask("/ping", answer="/pong")
    taken = time.monotonic() - began
    one.wait("/error", lambda said: said[2] == "limit")
    assert taken < 2.0  # the patterns took 5 s of the server's thread before it was bounded


def test_asking_for_everything_again_and_again_is_cut_short(program):
    """The answers alone are more than a program's socket holds: its /error may be lost."""
    program().raw(kept()["bundle-of-all-asked"])
    began = time.monotonic()
    program().ask("/ping", answer="/pong")
    assert time.monotonic() - began < 2.0


def test_what_comes_before_the_bound_is_done(program, instrument):
    one = program()
    packet = bundle(message("/gain", -4.0), *[message("/dump")] * 500, message("/gain", 6.0))
    one.raw(packet)
    one.wait("/error", lambda said: said[2] == "limit")
    assert instrument.settings["gain"] == -4.0
    assert one.ask("/gain", 2.0) == ("/gain", 2.0)  # the next packet begins anew


def test_two_thousand_sets_in_one_bundle_are_no_work(program, instrument):
    one = program()
    one.raw(bundle(*[message("/gain", -float(i % 60)) for i in range(2_000)]))
    one.ask("/ping", answer="/pong")
    assert instrument.settings["gain"] == -(1_999 % 60)
    assert not [said for said in one.heard if said[0] == "/error"]


def test_packets_that_wait_for_their_time_take_bounded_memory(program):
    one = program()
    at = struct.pack(">II", int(time.time()) + 2_208_988_800 + 3_000, 0)
    blob = b"/gain\0\0\0,b\0\0" + struct.pack(">i", 60_000) + b"\xa5" * 60_000
    one.raw(bundle(blob, tag=at))
    one.ask("/ping", answer="/pong")
    before = resident_mb()
    for _ in range(50):  # 86 MB
        for _ in range(30):
            one.raw(bundle(blob, tag=at))
        one.ask("/ping", answer="/pong")
    one.send("/status")
    waiting = one.wait("/status/osc/waiting")[1]
    assert 0 < waiting * 60_000 <= MOST_BYTES
    assert resident_mb() - before < 40
    refused = [said[3] for said in one.heard if said[0] == "/error" and said[2] == "limit"]
    assert "wait for their time" in refused[0]


def test_answers_over_the_budget_are_not_even_made():
    sent: list[bytes] = []
    clients = Clients(lambda _, data: sent.append(data), ENGINE_SPACE, lambda: 100.0)
    client = clients.seen(Peer("127.0.0.1", 9))
    for _ in range(10_000):
        clients.answer(client, "/gain", 1.0)
    assert (len(sent), clients.dropped) == (4_000, 6_000)
    clients.answer(client, "/gain", object())  # no OSC: to make a message of it would fail
    assert clients.dropped == 6_001
