"""A program that speaks OSC to a server in tests: plain sockets, and python-osc's own code."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from pythonosc import slip
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

Said = tuple[Any, ...]  # address, then arguments


def build(address: str, *arguments: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(*argument) if isinstance(argument, tuple) else builder.add_arg(argument)
    return builder.build()


def flat(data: bytes) -> list[Said]:
    """What a packet says, by python-osc's parser."""
    if OscBundle.dgram_is_bundle(data):
        return [said for one in OscBundle(data) for said in flat(one.dgram)]
    message = OscMessage(data)
    return [(message.address, *message.params)]


class Program:
    """One client over UDP. Remembers all that it was sent."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.to = (host, port)
        self.heard: list[Said] = []
        self.sizes: list[int] = []

    @property
    def port(self) -> int:
        return self.socket.getsockname()[1]

    def send(self, address: str, *arguments: Any) -> None:
        self.raw(build(address, *arguments).dgram)

    def send_at(self, at: float, *messages: OscMessage) -> None:
        builder = OscBundleBuilder(at)  # type: ignore[arg-type]
        for one in messages:
            builder.add_content(one)
        self.raw(builder.build().dgram)

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.to)

    def _receive(self, timeout: float) -> list[bytes]:
        self.socket.settimeout(max(0.001, timeout))
        try:
            return [self.socket.recv(65536)]
        except TimeoutError:
            return []

    def listen(self, seconds: float) -> list[Said]:
        """What comes within so many seconds."""
        end, first = time.monotonic() + seconds, len(self.heard)
        while time.monotonic() < end:
            self._once(end - time.monotonic())
        return self.heard[first:]

    def _once(self, timeout: float) -> list[Said]:
        said = []
        for data in self._receive(timeout):
            self.sizes.append(len(data))
            said += flat(data)
        self.heard += said
        return said

    def wait(self, address: str, when: Callable[[Said], bool] | None = None, timeout: float = 8.0):
        """The first message to `address` from now on (of those that `when` takes)."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            said = self._once(end - time.monotonic())
            for i, one in enumerate(said):
                if one[0] == address and (when is None or when(one)):
                    del self.heard[len(self.heard) - len(said) + i + 1 :]
                    self._later = said[i + 1 :]
                    return one
        raise AssertionError(f"{address} never came; last: {self.heard[-8:]}")

    def ask(self, address: str, *arguments: Any, answer: str = "") -> Said:
        """Send, and the answer to it."""
        self.send(address, *arguments)
        return self.wait(answer or address)

    def close(self) -> None:
        self.socket.close()


class Stream(Program):
    """The same over TCP, framed by SLIP, or with sizes."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, sizes: bool = False) -> None:
        self.socket = socket.create_connection((host, port), timeout=5)
        self.heard, self.sizes = [], []
        self._sized, self._rest = sizes, b""

    def raw(self, data: bytes) -> None:
        framed = len(data).to_bytes(4, "big") + data if self._sized else slip.encode(data)
        self.socket.sendall(framed)

    def _receive(self, timeout: float) -> list[bytes]:
        self.socket.settimeout(max(0.001, timeout))
        try:
            self._rest += self.socket.recv(65536)
        except TimeoutError:
            return []
        if not self._sized:
            *whole, self._rest = self._rest.split(slip.END)
            return [slip.decode(packet) for packet in whole if packet]
        packets = []
        while len(self._rest) >= 4:
            size = int.from_bytes(self._rest[:4], "big")
            if len(self._rest) < 4 + size:
                break
            packets.append(self._rest[4 : 4 + size])
            self._rest = self._rest[4 + size :]
        return packets
