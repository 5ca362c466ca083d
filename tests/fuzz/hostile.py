"""Hostile packets without end: those kept in tests/data/osc, worn, cut, joined and drawn out."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.fuzz.osc_corpus import DATAGRAM, kept


def packets(seed: int) -> Iterator[bytes]:
    """The same for the same seed; each of up to 64 KiB, as a datagram takes it."""
    rng, whole = random.Random(seed), list(kept().values())
    small = [packet for packet in whole if len(packet) < 1_024]
    yield from (packet[:DATAGRAM] for packet in whole)
    while True:
        made = bytearray(rng.choice(whole if rng.random() < 0.02 else small))
        for _ in range(rng.randrange(4)):
            _wear(rng, made, small)
        yield bytes(made[:DATAGRAM])


def _wear(rng: random.Random, made: bytearray, others: list[bytes]) -> None:
    way = rng.randrange(6)
    if way == 0 and made:
        made[rng.randrange(len(made))] = rng.randrange(256)
    elif way == 1:
        del made[rng.randrange(len(made) + 1) :]
    elif way == 2:
        made += rng.choice(others)
    elif way == 3:
        place = rng.randrange(len(made) + 1)
        made[place:place] = rng.randbytes(rng.randrange(1, 9))
    elif way == 4:
        made += bytes(-len(made) % 4)
    elif made and rng.random() < 0.02:
        made *= DATAGRAM // len(made)
