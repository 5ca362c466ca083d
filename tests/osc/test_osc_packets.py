"""What comes off the wire: taken as OSC 1.0 has it, or refused in one line, whatever it is."""

from __future__ import annotations

import contextlib
import math
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.packets import LARGEST, BadPacket, bundles, contents, message, read, timed

NOW = struct.pack(">Q", 1)


def bundle(*elements: bytes, tag: bytes = NOW) -> bytes:
    return b"#bundle\0" + tag + b"".join(struct.pack(">i", len(e)) + e for e in elements)


def refusal(data: bytes) -> str:
    """Why it was refused, or nothing."""
    try:
        read(data)
    except BadPacket as error:
        return str(error)
    return ""


def test_all_types_that_make_sense_arrive():
    data = (
        b"/x\0\0,ifhdTFIsScN\0" + struct.pack(">if", 7, 0.5) + struct.pack(">qd", 2**40, 0.25)
        + b"abc\0sym\0" + struct.pack(">i", 65)
    )  # fmt: skip
    data = data.replace(b",ifhdTFIsScN\0", b",ifhdTFIsScN\0\0\0\0\0"[:16])
    (one,) = read(data)
    assert one.arguments == (7, 0.5, 2**40, 0.25, True, False, True, "abc", "sym", 65, None)


def test_bundles_keep_order_and_time():
    later = struct.pack(">II", 3_900_000_000, 2**31)
    inner = bundle(message("/b", 2), tag=struct.pack(">II", 3_900_000_005, 0))
    early = bundle(message("/c", 3))  # earlier than what it is in: OSC 1.0 forbids it
    got = read(bundle(message("/a", 1), inner, early, message("/d", 4), tag=later))
    at = 3_900_000_000.5 - 2_208_988_800
    assert [m.address for m in got] == ["/a", "/b", "/c", "/d"]
    assert [m.at for m in got] == pytest.approx([at, at + 4.5, at, at])
    assert [m.at for m in read(bundle(message("/a"), message("/b")))] == [None, None]


def test_a_time_goes_out_and_comes_back():
    at = time.time() + 5
    (one,) = read(timed(at, [message("/x", 1.5)]).dgram)
    assert one.at == pytest.approx(at, abs=1e-5)


@pytest.mark.parametrize(("data", "why"), [
    (b"", "0 bytes"), (b"\0\0\0\0", "neither"), (b"gain", "neither"), (b"/ga", "words of 4"),
    (b"/gain\0\0", "words of 4"), (b"/aaaaaa/aaaaaaa/", "without an end"),
    (b"/x\0\0f\0\0\0", "comma"), (b"/x\0\0,f\0\0", "within an argument"),
    (b"/x\0\0,s\0\0abcd", "text without an end"), (b"/\xff\xfe\0,\0\0\0", "UTF-8"),
    (b"/x\0\0,s\0\0\xc3\x28\0\0", "UTF-8"), (b"/x\0\0,q\0\0", "type 'q'"),
    (b"/x\0\0,b\0\0" + struct.pack(">i", -8), "blob of -8"),
    (b"/x\0\0,b\0\0" + struct.pack(">i", 2**31 - 1), "within an argument"),
    (b"/x\0\0," + b"T" * 3000 + b"\0" * 3, "type tags"), (b"/x\0\0,[[[\0\0\0\0", "type '['"),
    (b"#bundle\0", "time tag"), (b"#bundle\0" + NOW + b"\0\0", "within a size"),
    (b"#bundle\0" + NOW + struct.pack(">i", -16), "element of -16"),
    (b"#bundle\0" + NOW + struct.pack(">i", 400) + b"/x\0\0", "element of 400"),
    (b"/" * (LARGEST + 4), "65536 at most"),
])  # fmt: skip
def test_what_is_no_packet_is_refused_and_says_why(data, why):
    with pytest.raises(BadPacket, match=why.replace("[", r"\[")) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_nesting_and_numbers_are_bounded():
    data = message("/x", 1)
    for _ in range(8):
        data = bundle(data)
    assert read(data)[0].address == "/x"
    with pytest.raises(BadPacket, match="deep"):
        read(bundle(data))
    deepest = message("/x", 1)
    while len(deepest) < LARGEST - 20:
        deepest = bundle(deepest)
    with pytest.raises(BadPacket, match="deep"):
        read(deepest)
    with pytest.raises(BadPacket, match="messages in one packet"):
        read(bundle(*[message("/x")] * 3000))


def test_time_tags_at_the_edges_are_times():
    for tag in (0, 1, 2, 2**32 - 1, 2**63, 2**64 - 1):
        (one,) = read(bundle(message("/x"), tag=struct.pack(">Q", tag)))
        assert one.at is None if tag <= 1 else math.isfinite(one.at)


@given(st.binary(max_size=400))
def test_no_bytes_do_more_than_be_refused(data):
    for bytes_ in (
        data,
        b"/x\0\0," + data,
        b"#bundle\0" + NOW + data,
        b"/x\0\0,sib\0\0\0\0" + data,
    ):
        assert len(refusal(bytes_).splitlines()) < 2


@given(st.data())
def test_a_good_packet_that_is_worn_is_taken_or_refused(data):
    whole = bundle(message("/gain", 1.5), bundle(message("/sampler", "heun")), message("/seed", 3))
    place = data.draw(st.integers(0, len(whole) - 1))
    worn = bytearray(whole)
    worn[place] = data.draw(st.integers(0, 255))
    for packet in (bytes(worn), whole[:place]):
        assert len(refusal(packet).splitlines()) < 2


def test_the_largest_packets_are_read_in_no_time():
    packets = [
        b"/x\0\0,b\0\0" + struct.pack(">i", 65_000) + b"\1" * 65_000,
        bundle(*[message("/pack/harmony/c", 0.5)] * 2000),
        b"/" + b"a" * (LARGEST - 1),
        b"/x\0\0,s\0\0" + b"a" * (LARGEST - 8),
    ]
    for packet in packets:
        began = time.perf_counter()
        for _ in range(10):
            with contextlib.suppress(BadPacket):
                read(packet)
        assert (time.perf_counter() - began) / 10 < 0.2


def test_messages_are_put_into_few_bundles_under_the_limit():
    many = [message(f"/a/rather/long/address/{i}", float(i)) for i in range(300)]
    packed = list(bundles(many))
    assert all(len(p) < 1400 for p in packed)
    assert len(packed) < 10
    assert [a for p in packed for a, _ in contents(p)] == [contents(m)[0][0] for m in many]
    assert list(bundles([])) == []
