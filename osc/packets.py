"""Packets: bytes to messages with their time, and messages to bytes, with python-osc's codec.

The form of a message is checked before python-osc parses it, because the codec would follow a
negative size backwards (and never end), nest without limit, skip unknown types with a line on
standard error, and raise other errors for invalid UTF-8. Bundles are parsed here, in a loop; their
nesting and the number of messages are bounded. Pure functions, any thread. Times are seconds since
1970 (UTC), as in `time.time`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as MessageError
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import ntp, osc_types

from engine.errors import AttaccaError

__all__ = [
    "LARGEST",
    "BadPacket",
    "Double",
    "Message",
    "Wired",
    "bundles",
    "contents",
    "message",
    "read",
]  # fmt: skip

LARGEST = 65_536  # bytes of a packet
MOST_MESSAGES = 2_048  # in one packet
DEEPEST = 8  # bundles in bundles
MOST_ARGUMENTS = 2_048
_LONGEST_ADDRESS = 256
_LONGEST_STRING = 1_024
_PREFIX = b"#bundle\x00"
_NOW = 1  # the time tag for "immediately"
# Types that python-osc does not know, mapped to those it knows: symbol to text, character to int,
# impulse to true.
_KNOWN = bytes.maketrans(b"ScI", b"siT")

Wired = bytes


class Double(float):
    """A number that is sent as a double: seconds of a performance that may last for days."""


class BadPacket(AttaccaError):
    """The bytes are not an OSC packet, or it is not accepted; the text gives the reason."""


@dataclass(frozen=True)
class Message:
    """One message. `at`: its time in seconds since 1970; None: immediately."""

    address: str
    arguments: tuple[object, ...]
    at: float | None = None


def read(data: bytes) -> list[Message]:
    """The messages of a packet in their order.

    Raises
    ------
    BadPacket
        Any part of it violates OSC 1.0; the whole packet is then refused.
    """
    if len(data) > LARGEST:
        raise BadPacket(f"packet of {len(data)} bytes; send {LARGEST} at most")
    messages: list[Message] = []
    waiting: list[tuple[int, int, float | None, int]] = [(0, len(data), None, 0)]
    while waiting:
        start, end, at, depth = waiting.pop()
        if data.startswith(_PREFIX, start, end):
            if depth >= DEEPEST:
                raise BadPacket(f"bundles nested too deep; use {DEEPEST} levels at most")
            inner = list(_elements(data, start, end, at, depth))
            waiting.extend(reversed(inner))
        else:
            messages.append(_message(data[start:end], at))
        if len(messages) + len(waiting) > MOST_MESSAGES:
            raise BadPacket(f"more than {MOST_MESSAGES} messages in one packet; split it; split it")
    return messages


def _elements(
    data: bytes, start: int, end: int, outer: float | None, depth: int
) -> Iterator[tuple[int, int, float | None, int]]:
    """Start, end, time and depth of each element of the bundle."""
    if end - start < 16:
        raise BadPacket("bundle without a whole time tag")
    tag = data[start + 8 : start + 16]
    at = None if struct.unpack(">Q", tag)[0] <= _NOW else ntp.ntp_to_system_time(tag)
    if outer is not None and (at is None or at < outer):
        at = outer  # OSC 1.0: never before the bundle around it
    place = start + 16
    while place < end:
        if end - place < 4:
            raise BadPacket("bundle ends within a size")
        (size,) = struct.unpack_from(">i", data, place)
        place += 4
        if size < 4 or size % 4 or size > end - place:
            raise BadPacket(f"bundle element of {size} bytes where {end - place} are left")
        yield place, place + size, at, depth + 1
        place += size


def _message(data: bytes, at: float | None) -> Message:
    if not data or len(data) % 4:
        raise BadPacket(f"{len(data)} bytes: not whole words of 4")
    if data[:1] != b"/":
        raise BadPacket("neither an address (/...) nor a bundle")
    address_end = data.find(b"\0", 0, _LONGEST_ADDRESS)
    if address_end < 0:
        raise BadPacket(f"address without an end within {_LONGEST_ADDRESS} bytes")
    tags_start = address_end // 4 * 4 + 4
    if tags_start < len(data):
        tags_end = data.find(b"\0", tags_start, tags_start + MOST_ARGUMENTS + 2)
        if data[tags_start : tags_start + 1] != b"," or tags_end < 0:
            raise BadPacket(f"type tags without a comma or an end within {MOST_ARGUMENTS}")
        tags = data[tags_start + 1 : tags_end]
        _check_arguments(data, tags, tags_end // 4 * 4 + 4)
        data = data[:tags_start] + b"," + tags.translate(_KNOWN) + data[tags_end:]
    try:
        read_message = OscMessage(data)
    except (MessageError, UnicodeDecodeError, ValueError, OverflowError, IndexError) as error:
        raise BadPacket(_reason(error)) from None
    return Message(read_message.address, tuple(read_message.params), at)


_SIZES = {**dict.fromkeys(b"ifrmc", 4), **dict.fromkeys(b"hdt", 8), **dict.fromkeys(b"TFNI", 0)}


def _check_arguments(data: bytes, tags: bytes, place: int) -> None:
    """Refuse unknown types, and arguments beyond the end of the message."""
    for tag in tags:
        if tag in _SIZES:
            place += _SIZES[tag]
        elif tag in b"sS":
            end = data.find(b"\0", place, place + _LONGEST_STRING)
            if end < 0:
                raise BadPacket(f"text without an end within {_LONGEST_STRING} bytes")
            place = end // 4 * 4 + 4
        elif tag == ord("b"):
            if len(data) - place < 4:
                raise BadPacket("message ends within an argument")
            (size,) = struct.unpack_from(">i", data, place)
            if size < 0:
                raise BadPacket(f"blob of {size} bytes")
            place += 4 + size + -size % 4
        else:
            raise BadPacket(f"type {chr(tag)!r} is not accepted; send one of i h f d s T F I")
    if place > len(data):
        raise BadPacket("message ends within an argument")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    return " ".join(str(error).split())[:120] or type(error).__name__


# Nearly all messages use only these; python-osc's builder would parse each message again.
_WRITERS: dict[type, tuple[str, Callable[[Any], bytes]]] = {
    float: ("f", osc_types.write_float),
    int: ("i", osc_types.write_int),
    str: ("s", osc_types.write_string),
}


def message(address: str, *arguments: object) -> Wired:
    """A message as bytes; floats go out as float32, whole numbers as int32 or int64."""
    tags, rest = ",", b""
    for argument in arguments:
        kind = type(argument)
        if kind not in _WRITERS or (kind is int and argument.bit_length() > 31):  # type: ignore[attr-defined]
            return _built(address, arguments).dgram
        tag, write = _WRITERS[kind]
        tags += tag
        rest += write(argument)
    return osc_types.write_string(address) + osc_types.write_string(tags) + rest


def _built(address: str, arguments: Sequence[object]) -> OscMessage:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        if isinstance(argument, bool):
            argument = int(argument)  # more programs accept numbers than T and F
        kind = "d" if isinstance(argument, Double) else None
        builder.add_arg(argument, kind)  # type: ignore[arg-type]
    return builder.build()


def bundles(messages: Iterable[Wired], most: int = 1_400) -> Iterator[Wired]:
    """Messages in as few immediate bundles of under `most` bytes as possible."""
    builder, size = OscBundleBuilder(IMMEDIATELY), 16
    for one in messages:
        if size > 16 and size + 4 + len(one) >= most:
            yield builder.build().dgram
            builder, size = OscBundleBuilder(IMMEDIATELY), 16
        builder.add_content(OscMessage(one))
        size += 4 + len(one)
    if size > 16:
        yield builder.build().dgram


def contents(data: bytes) -> list[tuple[str, tuple[object, ...]]]:
    """The addresses and arguments of a packet, without times."""
    return [(m.address, m.arguments) for m in read(data)]


def timed(at: float, messages: Iterable[Wired]) -> OscBundle:
    """A bundle with a time tag, in seconds since 1970."""
    builder = OscBundleBuilder(at)  # type: ignore[arg-type]
    for one in messages:
        builder.add_content(OscMessage(one))
    return builder.build()
