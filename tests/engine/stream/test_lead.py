"""The lead and what is heard when it is gone."""

import numpy as np
import pytest
from virtual_clock import VirtualClock

from engine.stream.conceal import Concealer
from engine.stream.lead import Lead

RATE = 16000


def chord(frames, start=0):
    t = (start + np.arange(frames)) / RATE
    tones = [np.sin(2 * np.pi * f * t + i) for i, f in enumerate((220.3, 331.7, 441.0, 880.5))]
    return (0.1 * sum(tones))[:, None].astype(np.float32)


def largest_step(x):
    return float(np.abs(np.diff(x[:, 0])).max())


def test_music_comes_out_as_it_went_in_whatever_the_pulls():
    lead = Lead(RATE, 1, clock=VirtualClock())
    music = chord(20000)
    lead.append(music[:7000])
    lead.append(music[7000:])
    out = np.concatenate([lead.pull(n) for n in (1, 6998, 2, 5000, 7999)])
    np.testing.assert_array_equal(out, music)
    assert lead.seconds == 0


def test_before_the_first_block_there_is_silence_and_no_gap_is_counted():
    lead = Lead(RATE, 1, clock=VirtualClock())
    assert not lead.pull(512).any()
    assert lead.stats().gaps == 0


def test_an_empty_lead_is_held_without_a_click_and_dies_away():
    lead = Lead(RATE, 1, clock=VirtualClock())
    music = chord(RATE)
    lead.append(music)
    heard = np.concatenate([lead.pull(256) for _ in range(3 * RATE // 256)])
    natural = largest_step(music)
    assert largest_step(heard) < 1.1 * natural
    just_after = heard[RATE : RATE + 2000].std()
    assert just_after == pytest.approx(music.std(), rel=0.15), "the sound is held, not cut"
    last = heard[-2000:].std()
    assert 0.001 < last < 0.1 * just_after, "and decays like a pedal"
    stats = lead.stats()
    assert stats.gaps == 1
    assert stats.concealed_seconds == pytest.approx(2.0, abs=0.05)


def test_music_takes_over_again_without_a_click():
    lead = Lead(RATE, 1, clock=VirtualClock())
    lead.append(chord(RATE))
    parts = [lead.pull(256) for _ in range(RATE // 256 + 40)]
    lead.append(chord(RATE, start=3 * RATE + 77))
    parts += [lead.pull(256) for _ in range(40)]
    assert largest_step(np.concatenate(parts)) < 1.3 * largest_step(chord(RATE))
    assert lead.stats().gaps == 1


def test_held_noise_stays_within_its_own_level():
    rng = np.random.default_rng(3)
    concealer = Concealer(RATE, 2)
    noise = (0.1 * rng.standard_normal((8000, 2))).astype(np.float32)
    concealer.remember(noise)
    held = concealer.generate(16000)
    assert np.isfinite(held).all()
    assert abs(held).max() < 1.5 * abs(noise).max()


def test_silence_is_held_as_silence():
    concealer = Concealer(RATE, 1)
    concealer.remember(np.zeros((4096, 1), np.float32))
    assert not concealer.generate(4096).any()


def test_a_rewinding_block_stands_in_place_of_what_is_unheard():
    lead = Lead(RATE, 1, clock=VirtualClock())
    old, new = chord(5000), chord(3000, start=9000)
    lead.append(old)
    lead.pull(1000)
    lead.append(new, rewind=768)
    out = lead.pull(4000 - 768 + 3000)
    np.testing.assert_array_equal(out, np.concatenate([old[1000:-768], new]))


def test_a_rewind_beyond_what_is_unheard_cuts_the_new_block_instead():
    lead = Lead(RATE, 1, clock=VirtualClock())
    lead.append(chord(1000))
    lead.pull(900)
    new = chord(2000, start=500)
    lead.append(new, rewind=300)
    out = lead.pull(1800)
    np.testing.assert_array_equal(out, new[200:])


def test_offline_a_pull_waits_for_the_block():
    clock = VirtualClock()
    lead = Lead(RATE, 1, clock=clock, wait=True)

    def append() -> None:
        for begin in (0, 2000):
            clock.sleep(30.0)
            lead.append(chord(2000, begin))

    clock.thread(append, "feeder").start()
    np.testing.assert_array_equal(lead.pull(4000), chord(4000))
    assert clock.now() == 60.0
    assert lead.stats().gaps == 0


def test_a_closed_lead_does_not_keep_a_renderer_waiting():
    lead = Lead(RATE, 1, clock=VirtualClock(), wait=True)
    lead.append(chord(100))
    lead.close()
    assert len(lead.pull(500)) == 500
