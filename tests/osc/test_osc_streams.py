"""Scope, spectrum, blocks, play line and picture, as programs over UDP get them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from itertools import pairwise

import numpy as np
import pytest
from osc_program import Program
from tiny_pack import TINY

from engine.instrument import Instrument
from engine.stream.block_events import DroppedAudio, GeneratedBlock
from osc import sound_streams
from osc.server import OscServer

TONE, LEVEL, LASTS = 1000.0, 0.5, 5.0


@pytest.fixture
def sounding(tmp_path):
    """Plays a tone of 1 kHz at -6 dB for 5 s, then what the pack makes; a server beside it."""
    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        rate = instrument.manifest.rate
        t = np.arange(round(LASTS * rate)) / rate
        tone = (LEVEL * np.sin(2 * np.pi * TONE * t)).astype(np.float32)[:, None]
        instrument.play(None, past=tone)
        instrument.wait_for_sound()
        with OscServer(instrument, port=0, library=tmp_path / "library") as server:
            made = []

            def program():
                made.append(Program(server.port))
                return made[-1]

            yield instrument, program
            for one in made:
                one.close()


def wait_until(true, timeout=15.0):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


class Canvas:
    """What a window makes of `/picture`: columns by their time."""

    def __init__(self):
        self.columns = {}
        self.again = 0

    def take(self, said):
        for one in said:
            if one[0] == "/picture":
                _, start, hop, bands, blob = one
                rows = np.frombuffer(blob, np.uint8).reshape(-1, bands)
                for i, row in enumerate(rows):
                    place = round((start + i * hop) / hop)
                    self.again += place in self.columns
                    self.columns[place] = row
            elif one[0] == "/picture/clear":
                self.columns = {k: v for k, v in self.columns.items() if k * 0.04 < one[1]}


def test_scope_and_spectrum_show_the_audible_tone(sounding):
    instrument, program = sounding
    one = program()
    time.sleep(0.5)
    one.send("/scope", 20)
    one.send("/spectrum", 20)
    middles = np.array(one.wait("/spectrum/bands")[1:])
    assert len(middles) == 96
    assert (middles[0], middles[-1]) == (40, min(16000, instrument.manifest.rate / 2))
    time.sleep(0.5)
    one.listen(0.1)
    shown = np.array(one.wait("/scope")[1:]).reshape(-1, 2)
    assert len(shown) == 128
    assert shown.max() == pytest.approx(LEVEL, abs=0.02)
    assert shown.min() == pytest.approx(-LEVEL, abs=0.02)
    assert (shown[:, 0] <= shown[:, 1]).all()
    levels = np.array(one.wait("/spectrum")[1:])
    assert levels.shape == (96,)
    top = int(levels.argmax())
    assert middles[top] == pytest.approx(TONE, rel=0.05)
    assert levels[top] == pytest.approx(-6, abs=1.6)
    assert levels[abs(np.log2(middles / TONE)) > 1].max() < -60
    assert max(one.sizes) < 1_400
    assert one.ask("/spectrum/bands")[1:] == tuple(middles)
    one.send("/scope", 60)
    one.send("/spectrum", 0)
    one.ask("/ping", answer="/pong")
    said = one.listen(1.0)
    assert 30 <= sum(m[0] == "/scope" for m in said) <= 66
    assert not any(m[0] == "/spectrum" for m in said)


def test_sound_is_tapped_while_somebody_asks_and_computed_once_for_all(sounding, monkeypatch):
    instrument, program = sounding
    counted = []
    made = sound_streams.SoundStreams._message

    def spied(self, name, span):
        counted.append((name, span))
        return made(self, name, span)

    monkeypatch.setattr(sound_streams.SoundStreams, "_message", spied)
    assert not instrument._outlets.taps
    programs = [program() for _ in range(20)]
    for i, one in enumerate(programs):
        one.send("/scope", 60 - i / 20)  # all in the one length
        one.send("/spectrum", 1000)
    wait_until(lambda: instrument._outlets.taps)
    counted.clear()
    begun = time.monotonic()
    time.sleep(1.0)
    computed, lasted = list(counted), time.monotonic() - begun
    for name in ("scope", "spectrum"):
        assert 5 <= sum(n == name for n, _ in computed) <= 82 * lasted + 2
    assert len({span for n, span in computed if n == "scope"}) <= 2
    assert all(sum(m[0] == "/scope" for m in one.listen(0.05)) for one in programs[:2])
    for one in programs:
        one.send("/scope", 0)
        one.send("/spectrum", 0)
    wait_until(lambda: not instrument._outlets.taps)


def test_blocks_join_on_the_axis_and_the_play_line_moves_on_it(sounding):
    instrument, program = sounding
    one = program()
    one.send("/blocks", 1)
    one.send("/playhead", 20)
    blocks = [one.wait("/block", timeout=20) for _ in range(6)]
    for before, after in pairwise(blocks):
        assert after[1] == before[1] + 1
        assert after[2] == pytest.approx(before[2] + before[3] - after[5], abs=1e-6)
        assert after[4] >= 1
        assert after[6] > 0
        assert after[7] in (0, 1)
    assert blocks[-1][2] > LASTS - 1
    lines = [one.wait("/playhead") for _ in range(8)]
    assert all(0 <= heard <= played <= made for _, played, made, heard in lines)
    moved = lines[-1][1] - lines[0][1]
    assert 0.1 < moved < 2
    assert lines[-1][2] >= blocks[-1][2]
    instrument.set(pause=True)
    time.sleep(0.3)
    one.listen(0.1)
    still = [one.wait("/playhead")[1] for _ in range(4)]
    assert len(set(still)) == 1


def test_the_picture_begins_at_the_play_line_and_goes_on_without_gaps_over_seams(sounding):
    instrument, program = sounding
    one, canvas = program(), Canvas()
    one.send("/picture", 1)
    one.send("/playhead", 5)
    played = one.wait("/playhead")[1]
    canvas.take(one.heard)

    def wait_for(end, timeout=30.0):
        stop = time.monotonic() + timeout
        while not canvas.columns or max(canvas.columns) * 0.04 < end:
            assert time.monotonic() < stop, sorted(canvas.columns)[-3:]
            canvas.take(one.listen(0.1))

    wait_for(LASTS + 2.0)
    places = sorted(canvas.columns)
    assert places == list(range(places[0], places[-1] + 1))
    assert abs(places[0] * 0.04 - played) < 0.4
    middles = np.array(one.ask("/spectrum/bands")[1:])
    toned = np.array([canvas.columns[p] for p in places if 1.5 < p * 0.04 < LASTS - 0.2])
    assert len(toned), "it began before the tone ended"
    assert set(abs(middles[toned.argmax(axis=1)] / TONE - 1) < 0.05) == {True}
    np.testing.assert_allclose(toned.max(axis=1) * (90 / 255) - 90, -6, atol=1.6)
    assert max(one.sizes) < 1_400
    other = program()  # comes late: from the line of play of now
    other.send("/picture", 1)
    first = other.wait("/picture")
    assert first[1] > played + 0.3
    assert instrument.extent()[0] - first[1] < 2


def test_after_a_panic_what_was_dropped_is_cleared_and_the_axis_goes_on(sounding):
    instrument, program = sounding
    one, canvas = program(), Canvas()
    one.send("/picture", 1)
    one.send("/blocks", 1)
    one.wait("/picture")
    canvas.take(one.listen(0.5))
    ahead = max(canvas.columns) * 0.04
    before = instrument.extent()[0]
    one.send("/panic", 1)
    clear = one.wait("/picture/clear")
    assert before <= clear[1] < ahead
    canvas.take([clear])
    assert max(canvas.columns, default=0) * 0.04 < clear[1]
    block = one.wait("/block")
    assert block[1] == 0
    assert block[2] >= ahead - 0.2  # the axis counts what was dropped
    stop = time.monotonic() + 15
    while not canvas.columns or max(canvas.columns) * 0.04 < block[2] + 0.5:
        assert time.monotonic() < stop
        canvas.take(one.listen(0.1))
    assert not [p for p in canvas.columns if clear[1] + 0.05 < p * 0.04 < block[2] - 0.05]


def test_the_axis_goes_on_over_a_change_of_pack_and_begins_again_with_new_playing(tmp_path):
    other = tmp_path / "other"
    shutil.copytree(TINY, other)
    told = []
    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        remove = instrument.listen_blocks(told.append)
        instrument.play(None)
        instrument.wait_for_sound()
        assert told[0] == DroppedAudio(0.0, 0.0)
        time.sleep(1.0)
        instrument.load(other)
        wait_until(lambda: isinstance(told[-1], GeneratedBlock))
        played = instrument.extent()[0]
        changes = [i for i, m in enumerate(told) if isinstance(m, DroppedAudio)]
        assert len(changes) == 2
        drop, first = told[changes[1]], told[changes[1] + 1]
        assert 0.5 < drop.start < played
        assert (first.index, first.start) == (0, drop.start)
        joined = [m for m in told[changes[1] + 1 :] if isinstance(m, GeneratedBlock)]
        for one, two in pairwise(joined):
            assert two.start == pytest.approx(one.start + one.seconds - two.rewind)
        remove()
        instrument.close()
        instrument.listen_blocks(told.append)
        instrument.play(None)
        instrument.wait_for_sound()
        assert DroppedAudio(0.0, 0.0) in told[changes[1] + 1 :]


def test_the_blocks_of_a_killed_generator_are_followed_by_the_next_ones(sounding):
    instrument, program = sounding
    one = program()
    one.send("/blocks", 1)
    last = one.wait("/block", lambda m: m[1] > 2, timeout=20)
    killed_at = last[1]
    os.kill(instrument.generator_pid, signal.SIGKILL)
    for _ in range(200):
        block = one.wait("/block", timeout=20)
        assert block[1] == last[1] + 1, "each block once"
        assert block[2] == pytest.approx(last[2] + last[3], abs=1e-3)
        assert block[5] == 0, "nothing is replaced"
        last = block
        if instrument.status().stream.restarts and block[1] > killed_at + 2:
            break
    assert instrument.status().stream.restarts == 1
