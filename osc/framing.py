"""Packets in a stream of bytes (TCP): SLIP as in OSC 1.1, or a size before each as in OSC 1.0.

The first byte shows which one a program uses: a size under 16 MiB begins with 0, SLIP with 0xC0 or
with the packet itself. The buffer for an unfinished packet is bounded. One owner.
"""

from __future__ import annotations

import struct
from typing import Protocol

from pythonosc import slip

from osc.packets import LARGEST, BadPacket

__all__ = ["Framing", "Sized", "Slip", "framing_of"]


class Framing(Protocol):
    """Splits a stream into packets, and frames packets for a stream."""

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes.

        Raises
        ------
        BadPacket
            The rest of the stream cannot be parsed.
        """
        ...

    def frame(self, packet: bytes) -> bytes:
        """A packet as bytes of the stream."""
        ...


class Slip:
    """SLIP (RFC 1055), with an end before and after each packet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """See `Framing`."""
        *whole, self._rest = (self._rest + data).split(slip.END)
        if len(self._rest) > 2 * LARGEST:
            raise BadPacket(f"SLIP packet of more than {LARGEST} bytes")
        try:
            return [slip.decode(packet) for packet in whole if packet]
        except slip.ProtocolError:
            raise BadPacket("SLIP escape that is not defined") from None

    def frame(self, packet: bytes) -> bytes:
        """See `Framing`."""
        return slip.encode(packet)


class Sized:
    """An int32 with the packet's size in bytes before each packet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """See `Framing`."""
        rest, place = self._rest + data, 0
        packets: list[bytes] = []
        while len(rest) - place >= 4:
            (size,) = struct.unpack_from(">i", rest, place)
            if not 0 <= size <= LARGEST:
                raise BadPacket(f"packet of {size} bytes: {LARGEST} at most")
            if len(rest) - place - 4 < size:
                break
            packets.append(rest[place + 4 : place + 4 + size])
            place += 4 + size
        self._rest = rest[place:]
        return packets

    def frame(self, packet: bytes) -> bytes:
        """See `Framing`."""
        return struct.pack(">i", len(packet)) + packet


def framing_of(first: bytes) -> Framing:
    """The framing of a stream that begins with these bytes (one or more)."""
    return Sized() if first[:1] == b"\0" else Slip()
