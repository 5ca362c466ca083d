"""What arrives at the sockets: good, bad, too much, too large, from the wrong place."""

from __future__ import annotations

import contextlib
import math
import random
import resource
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from control_tables import ENGINE_SPACE
from osc_program import Program, Stream, build
from pythonosc import slip

from engine.errors import ConfigError
from osc.endpoint import networks
from osc.server import OscServer


def figure(one: Program, name: str) -> int:
    one.send("/status")
    return one.wait(f"/status/{name}")[1]


@pytest.mark.parametrize("sizes", [False, True], ids=["slip", "sizes"])
def test_tcp_sets_gets_and_subscribes(program, sizes):
    one, other = program(tcp=True, sizes=sizes), program()
    assert one.ask("/gain", 4.0) == ("/gain", 4.0)
    one.send("/subscribe")
    one.ask("/ping", answer="/pong")
    other.send("/sampler", "heun")
    assert one.wait("/sampler") == ("/sampler", "heun")
    one.send("/dump")
    one.wait("/dump/end")
    one.send("/subscribe", 9000)
    assert "give no port" in one.wait("/error")[3]


def test_slip_that_comes_byte_by_byte_with_ends_in_it(program):
    one = program(tcp=True)
    data = slip.encode(build("/preset/recall", "ÀÛ" + "x").dgram)
    assert len(data) > len(build("/preset/recall", "ÀÛx").dgram)
    for i in range(len(data)):
        one.socket.sendall(data[i : i + 1])
    assert one.wait("/error")[1] == "/preset/recall"
    one.socket.sendall(slip.encode(build("/gain", 1.0).dgram) + slip.encode(build("/gain").dgram))
    assert one.wait("/gain") == ("/gain", 1.0)
    assert one.wait("/gain") == ("/gain", 1.0) if ("/gain", 1.0) not in one.heard else True


@pytest.mark.parametrize(("first", "sizes"), [
    (b"\xc0/gain\xdb\x00\xc0", False), (struct.pack(">i", 1 << 20), True),
    (b"/" + b"a" * 140_000, False),
])  # fmt: skip
def test_a_stream_that_makes_no_sense_gets_the_reason_and_is_ended(program, first, sizes):
    one = program(tcp=True, sizes=sizes)
    one.socket.sendall(first)
    assert one.wait("/error")[2] == "packet"
    one.socket.settimeout(5)
    assert one.socket.recv(100) == b""


def test_a_client_that_does_not_read_is_dropped_and_blocks_no_other(program, server, monkeypatch):
    monkeypatch.setattr("osc.endpoint._UNSENT", 128 << 10)
    deaf = Stream(server.port)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    request = slip.encode(build("/dump").dgram) * 20
    deaf.socket.setblocking(False)
    end = time.monotonic() + 20
    gone = False
    while not gone and time.monotonic() < end:
        try:
            deaf.socket.send(request)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            gone = True
    assert gone
    one = program()
    began = time.monotonic()
    one.ask("/ping", answer="/pong")
    assert time.monotonic() - began < 1.0
    deaf.close()


def test_bad_packets_are_counted_answered_and_survived(program):
    one = program()
    bad = figure(one, "osc/bad")
    deep = build("/x").dgram
    for _ in range(500):
        deep = b"#bundle\0" + struct.pack(">Qi", 1, len(deep)) + deep
    for data in (b"/gain", b"#bundle\0", b"\xff" * 64, b"/x\0\0,s\0\0\xff\xfe\0\0", deep,
                 b"#bundle\0" + struct.pack(">Qi", 1, -24) + b"\0" * 8):  # fmt: skip
        one.raw(data)
        assert one.wait("/error")[2] == "packet"
    assert figure(one, "osc/bad") == bad + 6
    assert one.ask("/gain", 2.0) == ("/gain", 2.0)


def test_the_largest_datagrams_arrive(program):
    one = program()
    most = 65_507  # of UDP over IPv4
    one.raw(build("/x", b"\0" * 65_000).dgram)
    assert one.wait("/error")[1:3] == ("/x", "unknown")
    whole = build("/gain", 3.0).dgram
    many = b"#bundle\0" + struct.pack(">Q", 1)
    while len(many) + len(whole) + 4 < most:
        many += struct.pack(">i", len(whole)) + whole
    one.raw(many)
    assert one.wait("/error")[2] == "packet"  # more messages than a packet may have
    one.raw(many[: 16 + 1500 * (4 + len(whole))])
    assert one.wait("/gain") == ("/gain", 3.0)


def test_random_bytes_do_no_harm(program, instrument):
    one = program()
    dice = random.Random(7)
    good = build("/gain", 1.0).dgram
    before = instrument.status().stream.restarts
    for _ in range(3000):
        data = bytearray(good if dice.random() < 0.5 else dice.randbytes(dice.randrange(200)))
        for _ in range(dice.randrange(4)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        one.raw(bytes(data))
    assert one.ask("/ping", answer="/pong")[1] == "attacca"
    assert figure(one, "osc/faults") == 0
    assert instrument.status().stream.restarts == before
    assert instrument.failure is None


def test_any_message_to_any_address_is_carried_out_or_refused(program, instrument):
    """Good packets without sense: all addresses and patterns, all kinds of arguments."""
    one, other, dice = program(), program(), random.Random(11)
    values = [0, 1, -1, 7, 2**40, -(2**63), 0.5, -0.0, math.inf, -math.inf, math.nan, True,
              (1e300, "d"), False, None, "", "1", "free", "heun", "/x", "/*", "../x", "a" * 500,
              "\u00e9", b"\0\1", ((0, 1, 2, 3), "m"), one.port, 70_000, 60, 64]  # fmt: skip
    paths = [a.path for a in ENGINE_SPACE.addresses] + [
        "/*", "/*/*", "/*/norm", "/{gain,seed}", "/[!a]*", "/pack/harmony/?", "/nothing", "/", "//",
    ]  # fmt: skip
    for i in range(4000):
        arguments = [dice.choice(values) for _ in range(dice.choice((0, 1, 1, 1, 2, 3)))]
        if dice.random() < 0.1:
            one.send_at(time.time() + dice.uniform(-1, 0.5), build(dice.choice(paths), *arguments))
        else:
            one.send(dice.choice(paths), *arguments)
        if i % 50 == 0:
            one.listen(0.002)
            other.ask("/ping", answer="/pong")
    time.sleep(0.6)
    fresh = program()
    assert figure(fresh, "osc/faults") == 0
    assert instrument.failure is None
    instrument.record(None)


def test_a_flood_of_bad_packets_is_not_answered_by_a_flood(program):
    one = program()
    for _ in range(2000):
        one.raw(b"junk")
    got = [m for m in one.listen(1.0) if m[0] == "/error"]
    assert 1 <= len(got) < 400
    assert figure(one, "osc/dropped") > 1000


def test_four_programs_at_full_speed_do_not_disturb_the_music(program, instrument):
    programs = [program() for _ in range(4)]
    for one in programs:
        one.send("/subscribe")
    gaps = instrument.status().lead.gaps
    packets = figure(programs[0], "osc/packets")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def fire(one: Program, seed: int) -> None:
        end, n = time.monotonic() + 3.0, 0
        while time.monotonic() < end:
            one.send("/gain", -(n + seed) % 50 - 5.0)
            n += 1
            time.sleep(0.004)

    threads = [threading.Thread(target=fire, args=(p, i)) for i, p in enumerate(programs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    time.sleep(0.3)
    status = instrument.status()
    assert (status.lead.gaps, status.xruns) == (gaps, 0)
    fresh = program()
    assert figure(fresh, "osc/packets") - packets > 1500
    assert fresh.ask("/gain")[1] == instrument.settings["gain"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # KiB


def test_a_set_is_applied_within_milliseconds(program, instrument):
    one, took = program(), []
    for i in range(200):
        gain = -float(i % 40) - 1
        began = time.perf_counter()
        one.send("/gain", gain)
        while instrument.settings["gain"] != gain:
            time.sleep(0)
            assert time.perf_counter() - began < 2
        took.append(time.perf_counter() - began)
    assert sorted(took)[100] < 0.005


def test_a_taken_port_is_one_line_that_names_it(server, instrument, tmp_path):
    for kind in ("same", "udp"):
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = server.port
        if kind == "udp":
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} is taken.*--osc-port") as caught:
            OscServer(instrument, port=port, library=tmp_path).start()
        assert "\n" not in str(caught.value)
        taken.close()


@pytest.mark.parametrize(("listen", "words"), [
    ("192.0.2.1", "cannot listen on 192.0.2.1"), ("nowhere", "no address to listen on"),
])  # fmt: skip
def test_an_address_that_is_none_of_ours_is_one_line(instrument, tmp_path, listen, words):
    with pytest.raises(ConfigError, match=words):
        OscServer(instrument, port=0, listen=listen, library=tmp_path).start()


def test_only_addresses_on_the_list_are_accepted(instrument, tmp_path):
    own = _own_address()
    if not own:
        pytest.skip("this machine has no address but loopback")
    with OscServer(
        instrument, port=0, listen="0.0.0.0", allow=["203.0.113.0/24"], library=tmp_path
    ) as server:
        inside = Program(server.port)
        assert inside.ask("/ping", answer="/pong")[1] == "attacca"  # this machine is always heard
        outside = Program(server.port, own)
        outside.send("/gain", 9.0)
        outside.send("/ping")
        assert outside.listen(0.3) == []
        assert instrument.settings["gain"] != 9.0
        assert figure(inside, "osc/refused") == 2
        stream = Stream(server.port, own)
        stream.socket.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert stream.socket.recv(100) == b""
        stream.close()
        outside.close()
        inside.close()
    with pytest.raises(ConfigError, match=r"192\.168\.1\.7"):
        networks(["my laptop"])


def _own_address() -> str:
    """An address of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return ""


def test_it_starts_and_stops_again_and_again_and_leaves_nothing(instrument, tmp_path):
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with OscServer(instrument, port=0, library=tmp_path) as server:
        port = server.port
    threads, files = threading.active_count(), open_files()
    for _ in range(5):
        with OscServer(instrument, port=port, library=tmp_path) as server:
            one = Program(server.port)
            assert one.ask("/ping", answer="/pong")
            one.close()
        server.stop()
    assert threading.active_count() == threads
    assert open_files() <= files
