"""The pace benchmark's own parts: its clients speak OSC, and its sums are right."""

from __future__ import annotations

import numpy as np

from benchmarks.osc_clients import CYCLE, elements, packed, values
from benchmarks.osc_pace import Pace, floor, published_after
from osc.packets import bundles, message, told


def test_its_messages_are_those_of_the_codec():
    assert packed("/gain", "f", b"\xc0\xc0\0\0") == message("/gain", -6.0)
    each = values("/harmony/c", 0.0, 1.0)
    assert len({value for value, _ in each}) == len(each) == CYCLE
    assert all(told(data) == [("/harmony/c", (value,))] for value, data in each[::97])


def test_bundles_are_taken_apart():
    many = [message("/gain", float(i)) for i in range(9)]
    (packet,) = bundles(many)
    assert elements(packet) == many
    assert elements(many[0]) == [many[0]]


def test_the_floor_loses_nothing_and_takes_time():
    pace = floor(rate=200.0, seconds=1.0)
    assert pace.sent == 200
    assert pace.lost == 0
    assert 0 < np.median(pace.latencies) < 1.0


def test_publishing_counts_from_the_last_send_of_that_value():
    pace = Pace(3, np.array([0.1]), {1.0: [10.0, 14.0], 2.0: [11.0]})
    received = {"received": [[1.0, 14.25], [2.0, 11.5], [7.0, 12.0]]}
    assert published_after(pace, received).tolist() == [0.25, 0.5]
