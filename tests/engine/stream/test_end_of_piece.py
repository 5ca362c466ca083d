"""A new piece after what is made already: the join fades, keys come up, positions count on."""

import numpy as np
import pytest
from virtual_clock import VirtualClock

from engine.notes.timed_note import TimedNote
from engine.stream.lead import Lead

RATE = 1000


def steady(frames, level=0.5):
    return np.full((frames, 1), level, np.float32)


def test_the_end_of_a_piece_fades_and_what_follows_is_untouched():
    lead = Lead(RATE, 1, clock=VirtualClock())
    lead.append(steady(300))
    lead.pull(100)
    lead.end_piece()
    lead.append(steady(100, 0.25))
    got = lead.pull(300)[:, 0]
    np.testing.assert_array_equal(got[:170], 0.5)
    assert got[199] == 0
    assert np.all(np.diff(got[170:200]) < 0)
    assert np.abs(np.diff(got[170:200])).max() < 0.02
    np.testing.assert_array_equal(got[200:], 0.25)


@pytest.mark.parametrize("unheard", [0, 1, 7])
def test_a_piece_with_hardly_anything_unheard_ends_as_well(unheard):
    lead = Lead(RATE, 1, clock=VirtualClock())
    lead.append(steady(50))
    lead.pull(50 - unheard)
    lead.end_piece()
    lead.append(steady(20, 0.25))
    got = lead.pull(unheard + 20)[:, 0]
    np.testing.assert_array_equal(got[unheard:], 0.25)
    assert lead.stats().gaps == 0


def test_keys_come_up_where_the_piece_ends_and_its_later_notes_are_not_sent():
    heard = []
    lead = Lead(RATE, 1, clock=VirtualClock(), on_notes=heard.extend)
    down, late = TimedNote(10, 60, 80), TimedNote(120, 64, 80)
    lead.append(steady(100), notes=(down, TimedNote(90, 62, 70), late))
    lead.pull(50)
    lead.end_piece()
    lead.append(steady(100), notes=(TimedNote(0, 60, 90),))
    lead.pull(150)
    # The first pull begins at 0, the second at 50: the piece ends 50 frames into that one.
    assert heard == [
        down, TimedNote(40, 62, 70), TimedNote(50, 60, 0), TimedNote(50, 62, 0),
        TimedNote(50, 60, 90),
    ]  # fmt: skip


def test_positions_count_music_alone_and_go_on_over_a_flush():
    lead = Lead(RATE, 1, clock=VirtualClock())
    assert lead.extent() == (0, 0)
    lead.pull(500)  # silence before the first block is no music
    lead.append(steady(300))
    assert lead.extent() == (0, 0.3)
    lead.pull(100)
    assert lead.extent() == pytest.approx((0.1, 0.3))
    lead.flush()
    assert lead.extent() == pytest.approx((0.3, 0.3))
    lead.append(steady(100))
    lead.pull(150)  # 50 of them held sound
    assert lead.extent() == pytest.approx((0.4, 0.4))
