"""The programs of `benchmarks.osc_pace`: each a process of its own that prints JSON at its end.

    python -m benchmarks.osc_clients set PORT PATH LOW HIGH RATE BEGIN SECONDS
    python -m benchmarks.osc_clients subscribe PORT PATH BEGIN SECONDS
    python -m benchmarks.osc_clients echo

`set` sends RATE values a second to PATH and records when each reply with that value arrives.
`subscribe` records the values that a subscriber receives. `echo` returns every datagram. BEGIN and
all times are seconds of the system's monotonic clock, which these processes share. Clients use only
the standard library, so that they cost little.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

CYCLE = 20_000  # values until one comes again: 80 s at 250 a second
_AFTER = 1.0  # seconds to wait for the last replies


def packed(path: str, tags: str, arguments: bytes = b"") -> bytes:
    """A message."""
    words = (path.encode(), b"," + tags.encode())
    return b"".join(w + b"\0" * (4 - len(w) % 4) for w in words) + arguments


def values(path: str, low: float, high: float) -> list[tuple[float, bytes]]:
    """As many values as come before one is sent again, and the message of each."""
    steps = (low + (high - low) * i / CYCLE for i in range(CYCLE))
    singles = [struct.unpack(">f", struct.pack(">f", v))[0] for v in steps]
    return [(v, packed(path, "f", struct.pack(">f", v))) for v in singles]


def elements(data: bytes) -> list[bytes]:
    """The messages of a packet."""
    if not data.startswith(b"#bundle\0"):
        return [data]
    found, place = [], 16
    while place < len(data):
        (size,) = struct.unpack_from(">i", data, place)
        found += elements(data[place + 4 : place + 4 + size])
        place += 4 + size
    return found


def local(port: int) -> socket.socket:
    """A socket that talks to a port of this machine."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.connect(("127.0.0.1", port))
    one.setblocking(False)
    return one


def received(one: socket.socket, until: float, head: bytes) -> list[tuple[float, float]]:
    """Values in messages that begin with `head`, with when they came, waiting up to `until`."""
    if not select.select([one], [], [], max(0.0, until - time.monotonic()))[0]:
        return []
    try:
        data = one.recv(65_536)
    except (BlockingIOError, ConnectionRefusedError):
        return []
    now = time.monotonic()
    matching = [m for m in elements(data) if m.startswith(head) and len(m) == len(head) + 4]
    return [(struct.unpack(">f", m[-4:])[0], now) for m in matching]


def send(port: int, path: str, low: float, high: float, rate: float, begin: float, seconds: float):
    """Set values at a rate. Returns sent [value, when], replied [value, when sent, seconds]."""
    one, each, head = local(port), values(path, low, high), packed(path, "f")
    waiting: dict[float, float] = {}
    sent, replied = [], []
    count, due, end = 0, begin, begin + seconds
    while due < end:
        now = time.monotonic()
        if now >= due:
            value, data = each[count % CYCLE]
            waiting[value] = now = time.monotonic()
            one.send(data)
            sent.append((value, now))
            count += 1
            due = begin + count / rate
        for value, at in received(one, due, head):
            if value in waiting:
                was = waiting.pop(value)
                replied.append((value, was, at - was))
    while waiting and time.monotonic() < end + _AFTER:
        for value, at in received(one, end + _AFTER, head):
            if value in waiting:
                was = waiting.pop(value)
                replied.append((value, was, at - was))
    return {"sent": sent, "replied": replied}


def subscribe(port: int, path: str, begin: float, seconds: float):
    """Subscribe to an address. Returns received [value, when]."""
    one, head = local(port), packed(path, "f")
    request = packed("/subscribe", "s", path.encode() + b"\0" * (4 - len(path) % 4))
    found, again, end = [], 0.0, begin + seconds + _AFTER
    while time.monotonic() < end:
        if time.monotonic() >= again:
            one.send(request)
            again = time.monotonic() + 20
        found += received(one, min(end, again), head)
    return {"received": found}


def echo() -> None:
    """Return every datagram, until ended."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1], flush=True)
    while True:
        data, sender = one.recvfrom(65_536)
        one.sendto(data, sender)


def main(arguments: list[str]) -> None:
    kind, *rest = arguments
    if kind == "echo":
        echo()
    elif kind == "set":
        port, path, *numbers = rest
        json.dump(send(int(port), path, *map(float, numbers)), sys.stdout)
    else:
        port, path, begin, seconds = rest
        json.dump(subscribe(int(port), path, float(begin), float(seconds)), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
