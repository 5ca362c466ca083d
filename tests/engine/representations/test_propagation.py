"""The sweeps solve the heap's problem, and propagated phases follow a sound."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from benchmarks.phase_measures import spectral_convergence
from engine.representations.propagation import PhaseGradient, arrivals, run_plan
from engine.representations.refiner import polar
from engine.representations.stft import Stft

STFT = Stft(1024, 256)


def heap_sources(before: np.ndarray, now: np.ndarray) -> list[int]:
    """Algorithm 1 of Prusa & Sondergaard 2016: the bin of the frame before that each one gets."""
    source = [-1] * now.size
    heap = [(-key, 0, m, m) for m, key in enumerate(before)]
    heapq.heapify(heap)
    while heap:
        _, stage, m, origin = heapq.heappop(heap)
        for k in (m,) if stage == 0 else (m - 1, m + 1):
            if 0 <= k < now.size and source[k] < 0:
                source[k] = origin
                heapq.heappush(heap, (-now[k], 1, k, origin))
    return source


@pytest.mark.parametrize("seed", range(20))
def test_sweeps_choose_as_the_heap_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(6, 40)).astype(np.float32)
    now = (0.7 * before + rng.normal(size=(6, 40))).astype(np.float32)
    from_time, from_left = arrivals(before, now, -50.0)
    for n in range(6):
        got = np.arange(40)
        for m in range(1, 40):
            if not from_time[n, m] and from_left[n, m]:
                got[m] = got[m - 1]
        for m in range(38, -1, -1):
            if not from_time[n, m] and not from_left[n, m]:
                got[m] = got[m + 1]
        assert got.tolist() == heap_sources(before[n], now[n])


@pytest.mark.parametrize("frequency", [440.0, 1003.7, 5021.3])
def test_phases_of_a_steady_tone_are_propagated_right(frequency: float) -> None:
    x = np.sin(2 * np.pi * frequency / 16_000 * np.arange(STFT.samples_of(34)))
    spectrum = STFT.rows(x.astype(np.float32))
    magnitude = np.abs(spectrum)
    plan = PhaseGradient(STFT).plan(magnitude[:2], magnitude[2:], 32)
    rows = polar(magnitude[2:], run_plan(plan, np.angle(spectrum[1])))
    out = STFT.inverse(np.ascontiguousarray(rows.T))
    inner = slice(STFT.overlap, out.size - STFT.overlap)
    wanted = x[2 * 256 :][inner]
    assert np.corrcoef(out[inner], wanted)[0, 1] > 0.9
    # A tone that drifts in phase is still a tone, of the same level.
    got = np.abs(STFT.forward(out))[:, 4:-4]
    assert spectral_convergence(magnitude[2:].T[:, 4:-4], got) < 0.1


def test_gradient_in_frequency_locates_a_click_in_the_frame() -> None:
    """The phase of an impulse at offset p of the frame falls by 2 pi p / W from bin to bin."""
    fine = Stft(1024, 64)  # a difference over two hops has to be a derivative
    x = np.zeros(fine.samples_of(60), np.float32)
    x[2800] = 1.0
    logs = np.log(np.maximum(np.abs(fine.rows(x)), 1e-9))
    _, per_bin = PhaseGradient(fine).gradients(logs, 57)
    for offset in (304, 496, 688):
        frame = (2800 - offset) // 64
        told = np.median(per_bin[frame - 2])
        assert told == pytest.approx(-2 * np.pi * offset / 1024, abs=0.25)


def test_click_keeps_its_place_in_the_frame() -> None:
    """An impulse has its phase in frequency: the frames have to agree on where it is."""
    x = np.zeros(STFT.samples_of(20), np.float32)
    x[2800] = 1.0
    x += 1e-5 * np.random.default_rng(0).standard_normal(x.size).astype(np.float32)
    spectrum = STFT.rows(x)
    magnitude = np.abs(spectrum)
    plan = PhaseGradient(STFT).plan(magnitude[:2], magnitude[2:], 18)
    rows = polar(magnitude[2:], run_plan(plan, np.angle(spectrum[1])))
    out = STFT.inverse(np.ascontiguousarray(rows.T))
    power = out**2
    centre = int(np.argmax(power)) + 2 * 256
    assert abs(centre - 2800) < 64
    near = power[centre - 512 - 64 : centre - 512 + 64].sum()
    assert near > 0.8 * power.sum()
