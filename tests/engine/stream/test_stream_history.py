"""What is kept of the past: every block at first, then a keyframe now and then, no jump lost."""

import numpy as np

from engine.stages.request import Request
from engine.stream.history import History, Keyframe

RATE = 10
STATE = {"a": np.zeros(1000, np.float32)}


def play(history, blocks, begin=0, *, jump=False):
    """Blocks of a second; each request is numbered by the position at which it begins."""
    for position in range(begin, begin + blocks * RATE, RATE):
        continues = bool(position) and not (jump and position == begin)
        history.take(Keyframe(STATE, position, position, True, continues=continues))
        history.requested(Request(position), position + RATE)


def test_old_keyframes_are_thinned_out_and_every_sample_is_still_found():
    history = History(RATE)
    play(history, 120)
    kept = history._keyframes
    assert len(kept) < 60
    for position in range(0, 1200, 7):
        place = history.find(position)
        begin = position // RATE * RATE
        assert (place.request.index, place.offset) == (begin, position - begin)
        before = [request.index for request in place.before]
        assert before == list(range(place.keyframe.position, begin, RATE))


def test_a_jump_to_the_start_of_a_block_is_never_taken_for_what_followed():
    history = History(RATE)
    play(history, 10)
    history.cut(100)
    play(history, 60, 100, jump=True)
    place = history.find(123)
    assert place.keyframe.position == 100
    assert [request.index for request in place.before] == [100, 110]


def test_what_is_dropped_in_the_middle_of_a_block_is_found_up_to_there():
    history = History(RATE)
    play(history, 5)
    history.cut(33)
    history.take(Keyframe(STATE, 30, 33, True))
    history.requested(Request(777), 43)
    assert history.find(32).request.index == 30
    assert history.find(34).request.index == 777
    assert history.blocks_before(40, 1) == 30


def test_it_reaches_no_further_than_its_seconds_and_its_bytes():
    for history in (History(RATE, 20.0), History(RATE, 600.0, 20 * 4000)):
        play(history, 100)
        assert 790 <= history.oldest <= 810
        assert history.find(history.oldest - 1) is None
