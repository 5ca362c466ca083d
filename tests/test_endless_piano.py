"""`attacca play` into real sound servers, heard at their other end: no gap, no click, at any seam.

The same seed rendered offline says where in the recording every block begins: the live stream is
found in it by cross-correlation, so the seams are looked at where they really are.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate
from sound_servers import machine_floor

from engine.instrument import Instrument
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest

pytestmark = [pytest.mark.sound, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
PACK = read_manifest(ROOT / "packs" / "piano")
RATE = 48000
LOOKAHEAD = 4  # frames the phase reconstruction keeps back
CONTROLS = {"steps": PACK.least_steps, "seed": 11}  # at the floor nothing is eased


def played(servers, seconds, tmp_path):
    """What each server got while `attacca play` ran on it, mono, and the player's last status line.

    `servers` by device; they play at the same time.
    """
    with contextlib.ExitStack() as stack:
        recordings = {d: stack.enter_context(s.recording()) for d, s in servers.items()}
        players = [stack.enter_context(player(device, tmp_path / device)) for device in servers]
        time.sleep(seconds)
        for process in players:
            process.send_signal(signal.SIGINT)
        outputs = [process.communicate(timeout=30)[0] for process in players]
        time.sleep(0.3)
    assert [process.returncode for process in players] == [0] * len(players), outputs
    return [
        (recordings[device]().mean(axis=1), output)
        for device, output in zip(servers, outputs, strict=True)
    ]


@contextlib.contextmanager
def player(device, folder):
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable, "-W", "error", "-m", "attacca", "play", "--pack", str(PACK.folder),
        "--device", device, "--seed", str(CONTROLS["seed"]), "--steps", str(CONTROLS["steps"]),
        "--no-osc", "--no-midi",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def music_of(recording):
    """The recording without the silence before and after."""
    loud = np.flatnonzero(np.abs(recording) > 1e-4)
    assert len(loud), "nothing was heard"
    return recording[loud[0] : loud[-1] + 1]


def offline(seconds, tmp_path):
    path = tmp_path / "same.wav"
    with Instrument(PACK.folder, **CONTROLS) as instrument:
        instrument.render(path, seconds, rate=RATE)
    return soundfile.read(path, dtype="float32")[0]


def offset_of(part, recording):
    """Where `part` begins in `recording`, and how well it fits there (1 is the very same)."""
    match = correlate(recording, part, "valid", method="fft")
    energy = correlate(recording**2, np.ones(len(part), np.float32), "valid", method="fft")
    fit = match / np.sqrt(np.maximum(energy, 1e-9) * np.sum(part**2))
    best = int(np.argmax(fit))
    return best, float(fit[best])


def longest_zeros(x):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (x == 0).astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def steps_around(x, places, reach=48):
    """Largest second difference within a millisecond of each place, over its own surroundings'.

    A click is a kink; the loudness of the music around it is divided out.
    """
    kinks = np.abs(np.diff(x, 2))
    out = []
    for place in places:
        near = kinks[place - reach : place + reach].max()
        around = np.sqrt(np.mean(kinks[place - 40 * reach : place + 40 * reach] ** 2)) + 1e-7
        out.append(near / around)
    return np.array(out)


def check_seams(recording, seconds, music):
    """No seam kinks more than the blocks' own insides do; `music` is the same, rendered."""
    piece = music[2 * RATE : 5 * RATE]
    at, fit = offset_of(piece, recording)
    assert fit > 0.98, "the stream heard is the stream rendered"
    start = at - 2 * RATE
    block = make_plan(PACK).block_samples * RATE / PACK.rate
    kept_back = LOOKAHEAD * float(PACK.signal("sound").grid.samples) * RATE / PACK.rate
    seams = np.array([start + k * block - kept_back for k in range(1, int(seconds / 2))])
    seams = seams[(seams > 4000) & (seams < len(recording) - 8000)].astype(int)
    assert len(seams) >= int(seconds / 2.6)
    rng = np.random.default_rng(0)
    inside = seams[rng.integers(0, len(seams), 1500)] + rng.integers(
        int(0.1 * block), int(0.9 * block), 1500
    )
    inside = inside[inside < len(recording) - 8000]
    usual = steps_around(recording, inside)
    at_seams = steps_around(recording, seams)
    assert np.median(at_seams) < np.quantile(usual, 0.8)
    assert at_seams.max() <= usual.max() * 1.05
    return len(seams)


def test_endless_piano_through_sound_servers_has_no_gap_and_no_click(pulse, jack, tmp_path):
    for _ in range(2):  # now and then a machine stands still for longer than the ring lasts
        by_pulse, by_jack = played({"pulse": pulse, "system": jack}, 26, tmp_path)
        if longest_zeros(music_of(by_pulse[0])) < 0.010 * RATE:
            break
    rendered = offline(8.0, tmp_path)
    for recording, output in (by_pulse, by_jack):
        music = music_of(recording)
        seconds = len(music) / RATE
        assert seconds > 20, output
        if longest_zeros(music) >= 0.010 * RATE:
            # JACK at 256 frames leaves 5 ms: the machine itself may be later than that.
            assert recording is by_jack[0], output
            assert machine_floor(20, 256 / RATE) > 0, output
        assert music.std() > 1e-3
        assert check_seams(recording, seconds, rendered) >= 8
