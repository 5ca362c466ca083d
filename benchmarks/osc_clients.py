"""The programs of `benchmarks.osc_pace`: each a process of its own that prints JSON at its end.

    python -m benchmarks.osc_clients set PORT PATH LOW HIGH RATE BEGIN SECONDS
    python -m benchmarks.osc_clients hear PORT PATH BEGIN SECONDS
    python -m benchmarks.osc_clients echo

`set` sends so many values a second to PATH and takes note of when each answer with that value came;
`hear` subscribes and takes note of what it is told; `echo` gives every datagram back. BEGIN and all
times are seconds of the system's monotonic clock, which these processes share. Nothing but the
standard library, so that a client costs little.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

CYCLE = 20_000  # values until one comes again: 80 s at 250 a second
_AFTER = 1.0  # seconds that the last answers are waited for


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
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


def received(one: socket.socket, until: float, head: bytes) -> list[tuple[float, float]]:
    """Values in messages that begin with `head`, with when they came, waiting up to `until`."""
    if not select.select([one], [], [], max(0.0, until - time.monotonic()))[0]:
        return []
    try:
        data = one.recv(65_536)
    except (BlockingIOError, ConnectionRefusedError):
        return []
    now = time.monotonic()
    told = [m for m in elements(data) if m.startswith(head) and len(m) == len(head) + 4]
    return [(struct.unpack(">f", m[-4:])[0], now) for m in told]


def send(port: int, path: str, low: float, high: float, rate: float, begin: float, seconds: float):
    """Set values at a rate. Returns sent [value, when], answered [value, when sent, seconds]."""
    one, each, head = local(port), values(path, low, high), packed(path, "f")
    waiting: dict[float, float] = {}
    sent, answered = [], []
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
                answered.append((value, was, at - was))
    while waiting and time.monotonic() < end + _AFTER:
        for value, at in received(one, end + _AFTER, head):
            if value in waiting:
                was = waiting.pop(value)
                answered.append((value, was, at - was))
    return {"sent": sent, "answered": answered}


def hear(port: int, path: str, begin: float, seconds: float):
    """What a subscriber is told: [value, when]."""
    one, head = local(port), packed(path, "f")
    ask = packed("/subscribe", "s", path.encode() + b"\0" * (4 - len(path) % 4))
    told, again, end = [], 0.0, begin + seconds + _AFTER
    while time.monotonic() < end:
        if time.monotonic() >= again:
            one.send(ask)
            again = time.monotonic() + 20
        told += received(one, min(end, again), head)
    return {"told": told}


def echo() -> None:
    """Give every datagram back, until ended."""
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
        json.dump(hear(int(port), path, float(begin), float(seconds)), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
