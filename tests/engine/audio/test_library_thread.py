"""Library calls that may never return: callers wait no longer than the limit."""

from __future__ import annotations

import threading
import time

import pytest

from engine.audio.library_thread import LibraryThread
from engine.errors import DeviceError


class Hanging:
    """A library call that returns when it is let go."""

    def __init__(self):
        self.go_on, self.began = threading.Event(), threading.Event()

    def __call__(self):
        self.began.set()
        assert self.go_on.wait(20)
        return "late"


@pytest.fixture
def hanging():
    h = Hanging()
    yield h
    h.go_on.set()


@pytest.fixture
def library():
    return LibraryThread("library")


def took(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_a_call_gives_its_result_and_raises_its_error(library):
    assert library.call(lambda: 7, "seven", 5.0) == 7
    with pytest.raises(ZeroDivisionError):
        library.call(lambda: 1 // 0, "one by nought", 5.0)
    assert library.finish(lambda: None, 5.0)
    library.end()


def test_all_calls_run_in_one_thread_also_those_from_within(library):
    one = library.call(threading.get_ident, "who", 5.0)
    inner = library.call(lambda: library.call(threading.get_ident, "who", 5.0), "nested", 5.0)
    assert one == inner != threading.get_ident()
    library.end()


def test_a_call_that_hangs_is_abandoned_and_later_ones_are_refused_at_once(library, hanging):
    with pytest.raises(DeviceError, match=r"opening: the sound system has not answered for 0.2 s"):
        library.call(hanging, "opening", 0.2)
    assert library.is_stuck

    def refused():
        with pytest.raises(DeviceError, match="closing: the sound system does not answer"):
            library.call(lambda: None, "closing", 30.0)

    assert took(refused) < 1.0
    hanging.go_on.set()
    library.finish(lambda: None, 5.0)


def test_what_closes_is_done_once_a_stuck_library_answers_and_not_waited_for(library, hanging):
    done = threading.Event()
    assert not library.finish(hanging, 0.05)
    assert took(lambda: library.finish(done.set, 30.0)) < 1.0
    assert not done.is_set()
    hanging.go_on.set()
    assert done.wait(5)
    assert not library.is_stuck
    assert library.call(lambda: 1, "again", 5.0) == 1


def test_an_end_of_the_program_ends_a_wait_early(library, hanging):
    ending = threading.Event()
    threading.Timer(0.1, ending.set).start()

    def opened():
        with pytest.raises(DeviceError):
            library.call(hanging, "opening", 30.0, ending)

    assert took(opened) < 3.0


def test_a_thread_that_has_ended_starts_again(library):
    before = library.call(threading.current_thread, "who", 5.0)
    library.end()
    before.join(5)
    assert not before.is_alive()
    assert library.call(threading.current_thread, "who", 5.0) is not before
    library.end()
