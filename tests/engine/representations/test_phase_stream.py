"""What a listener hears at the seams, and that the books of samples are right."""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.griffin_lim import griffin_lim
from benchmarks.phase_measures import (
    log_spectral_distance,
    seam_convergence,
    seam_jumps,
    spectral_convergence,
)
from engine.errors import ConfigError
from engine.representations.phase_stream import DEFAULT_PHASE, PHASE_KINDS, make_phase
from engine.representations.stft import Stft

RATE = 16_000
STFT = Stft(1024, 256)
BLOCK = 128
ALL = sorted(PHASE_KINDS)


def piano(seconds: float, seed: int = 3) -> np.ndarray:
    """Decaying, slightly inharmonic partials with onsets, and a soft noise of hammers."""
    rng = np.random.default_rng(seed)
    x = np.zeros(int(seconds * RATE))
    for begin in np.arange(0.0, seconds, 0.23):
        at = int(begin * RATE)
        t = np.arange(x.size - at) / RATE
        base = 110.0 * 2.0 ** (rng.integers(0, 36) / 12.0)
        note = np.zeros(t.size)
        for k in range(1, 12):
            frequency = base * k * np.sqrt(1.0 + 3e-4 * k * k)
            if frequency < 7_000.0:
                decay = np.exp(-t * (1.5 + 0.5 * k))
                note += decay / k * np.sin(2 * np.pi * frequency * t + rng.random() * 6.28)
        attack = np.minimum(1.0, t / 0.003)
        x[at:] += rng.uniform(0.05, 0.15) * attack * note
        x[at : at + 200] += 0.01 * rng.standard_normal(200)[: x.size - at]
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return piano(STFT.samples_of(4 * BLOCK) / RATE)[: STFT.samples_of(4 * BLOCK)]


@pytest.fixture(scope="module")
def magnitude(sound: np.ndarray) -> np.ndarray:
    target = np.abs(STFT.forward(sound))
    target[-1] = 0.0
    return target


def run(phase, magnitude: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    parts, at = [], 0
    for size in sizes:
        parts.append(phase.push(magnitude[:, at : at + size]))
        at += size
    assert at == magnitude.shape[1]
    return [*parts, phase.flush()]


@pytest.mark.parametrize("kind", ALL)
def test_every_push_gives_its_frames_in_samples(kind: str, magnitude: np.ndarray) -> None:
    phase = make_phase(kind, STFT, iterations=min(2, PHASE_KINDS[kind].iterations))
    sizes = [128, 32, 1, 0, 3, 60, 128, 160]
    parts = run(phase, magnitude, sizes)
    held = phase.latency_frames
    assert parts[0].size == (128 - held) * 256
    assert [p.size for p in parts[1:-1]] == [n * 256 for n in sizes[1:]]
    assert parts[-1].size == held * 256 + STFT.overlap
    assert sum(p.size for p in parts) == STFT.samples_of(magnitude.shape[1])
    assert all(p.dtype == np.float32 for p in parts)


def test_blocks_shorter_than_the_look_ahead_wait_for_more(magnitude: np.ndarray) -> None:
    phase = make_phase(DEFAULT_PHASE, STFT, iterations=2, lookahead=6)
    sizes = [phase.push(magnitude[:, n : n + 2]).size for n in range(0, 12, 2)]
    assert sizes == [0, 0, 0, 512, 512, 512]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("sizes", [[128] * 4, [32] * 16, [100, 28, 7, 121, 256]])
def test_no_click_where_blocks_meet(kind: str, sizes: list[int], magnitude, sound) -> None:
    phase = make_phase(kind, STFT, iterations=min(8, PHASE_KINDS[kind].iterations))
    parts = run(phase, magnitude, sizes)
    seams = np.cumsum([p.size for p in parts[:-1]])
    jumps = seam_jumps(np.concatenate(parts), seams)
    # Onsets near a seam are steep as well: what is asked is no more than the sound itself has.
    assert jumps.max() < max(4.0, seam_jumps(sound, seams).max() + 1.0)


def test_the_click_measure_finds_blocks_that_were_only_cut(magnitude) -> None:
    cut = [griffin_lim(magnitude[:, n : n + 128], STFT, 8)[: 128 * 256] for n in range(0, 512, 128)]
    assert seam_jumps(np.concatenate(cut), [128 * 256 * n for n in (1, 2, 3)]).max() > 4.0


def test_seams_are_as_good_as_the_rest_where_independent_blocks_fail(magnitude) -> None:
    bound = 0.1
    seams = [128 * 256 * n for n in (1, 2, 3)]
    phase = make_phase(DEFAULT_PHASE, STFT)
    out = np.concatenate(run(phase, magnitude, [128] * 4))
    held = phase.latency_frames * 256
    got = np.abs(STFT.forward(out))
    assert seam_convergence(magnitude, got, STFT, [s - held for s in seams]) < bound
    assert seam_convergence(magnitude, got, STFT, seams) < bound

    alone = np.zeros(out.size, np.float32)
    ramp = np.linspace(0.0, 1.0, STFT.overlap, dtype=np.float32)
    for n in range(0, 512, 128):
        part = griffin_lim(magnitude[:, n : n + 128], STFT, 60)
        part[: STFT.overlap] *= ramp
        alone[n * 256 : n * 256 + STFT.overlap] *= 1.0 - ramp
        alone[n * 256 : n * 256 + part.size] += part
    got = np.abs(STFT.forward(alone))
    assert seam_convergence(magnitude, got, STFT, seams) > bound


def test_streaming_is_nearer_than_the_papers_offline_griffin_lim(magnitude) -> None:
    inner = slice(4, -4)
    target = magnitude[:, inner]
    out = np.concatenate(run(make_phase(DEFAULT_PHASE, STFT), magnitude, [128] * 4))
    streamed = np.abs(STFT.forward(out))[:, inner]
    whole = np.abs(STFT.forward(griffin_lim(magnitude, STFT, 32, 0.0)))[:, inner]
    assert spectral_convergence(target, streamed) < 0.5 * spectral_convergence(target, whole)
    assert log_spectral_distance(target, streamed) < log_spectral_distance(target, whole)


@pytest.mark.parametrize("kind", ["gradient-gl", "gradient"])
@pytest.mark.parametrize("frequency", [261.63, 997.0])
def test_primed_stream_continues_a_real_tone_in_phase(kind: str, frequency: float) -> None:
    total = STFT.samples_of(200)
    x = (0.3 * np.sin(2 * np.pi * frequency / RATE * np.arange(total))).astype(np.float32)
    heard = 100 * 256 + STFT.overlap  # frames 0 to 99 are the past, the stream makes 100 onwards
    phase = make_phase(kind, STFT)
    again = phase.prime(x[:heard])
    assert again == STFT.overlap
    out = phase.push(np.abs(STFT.forward(x))[:, 100:])
    begin = heard - again
    joined = np.concatenate((x[:begin], out))
    # Across the join: the last 16 ms of the past with the first 48 ms made.
    across = slice(begin - 256, begin + 768)
    assert np.corrcoef(joined[across], x[across])[0, 1] > 0.995
    # Later the frequency is known only as well as magnitudes tell it: in 0.25 s the phase may
    # drift by 0.45 rad (0.3 Hz), whose cosine this is.
    later = slice(begin + 768, begin + 4096)
    assert np.corrcoef(joined[later], x[later])[0, 1] > 0.9
    steps = np.abs(np.diff(joined))
    assert steps[begin - 2 : begin + 768].max() < 1.1 * np.abs(np.diff(x)).max()


def test_priming_forgets_what_was_played_before(magnitude, sound) -> None:
    phase = make_phase(DEFAULT_PHASE, STFT, iterations=2)
    phase.prime(sound[:20_000])
    first = phase.push(magnitude[:, :40])
    phase.push(magnitude[:, 300:340])
    phase.prime(sound[:20_000])
    np.testing.assert_array_equal(phase.push(magnitude[:, :40]), first)


def test_priming_with_hardly_any_audio_is_a_start_from_silence(magnitude) -> None:
    phase = make_phase(DEFAULT_PHASE, STFT, iterations=2)
    assert phase.prime(np.zeros(10, np.float32)) == STFT.overlap
    assert np.isfinite(phase.push(magnitude[:, :40])).all()


@pytest.mark.parametrize("kind", ALL)
def test_same_seed_gives_the_same_samples(kind: str, magnitude) -> None:
    def once(seed: int) -> np.ndarray:
        phase = make_phase(kind, STFT, iterations=2, seed=seed)
        return np.concatenate(run(phase, magnitude[:, :96], [64, 32]))

    np.testing.assert_array_equal(once(5), once(5))
    assert np.abs(once(5) - once(6)).max() > 1e-3


@pytest.mark.parametrize("kind", ALL)
def test_silence_stays_silent_and_sound_dies_away_into_it(kind: str, magnitude) -> None:
    phase = make_phase(kind, STFT, iterations=2)
    nothing = np.zeros((513, 64), np.float32)
    assert not phase.push(nothing).any()
    phase.push(magnitude[:, 64:128])
    phase.push(nothing)
    after = phase.push(nothing)
    assert np.isfinite(after).all()
    assert not after.any()
    assert not phase.flush().any()


@pytest.mark.parametrize("kind", ALL)
def test_fade_from_silence_has_no_click(kind: str, magnitude) -> None:
    out = make_phase(kind, STFT, iterations=4).push(magnitude[:, 20:60])
    assert abs(float(out[0])) < 1e-3
    assert np.abs(np.diff(out[:64])).max() < 0.02


def test_not_a_number_and_negative_magnitudes_are_taken_as_silence(magnitude) -> None:
    bad = magnitude[:, :40].copy()
    bad[10, 5], bad[11, 6] = np.nan, -3.0
    assert np.isfinite(make_phase(DEFAULT_PHASE, STFT).push(bad)).all()


def test_denormals_do_not_slow_the_stream(magnitude) -> None:
    """Decayed notes: half of the bins in every frame are around the smallest float."""
    tiny = magnitude.copy()
    tiny[100:] = 1e-40
    tiny[:, 200:] = 1e-41
    mixed = magnitude * np.logspace(0, -36, magnitude.shape[1], dtype=np.float32)

    def cost(block: np.ndarray) -> float:
        best = float("inf")
        for _ in range(4):
            phase = make_phase(DEFAULT_PHASE, STFT, iterations=8)
            began = time.process_time()
            phase.push(block)
            best = min(best, time.process_time() - began)
        return best

    usual = cost(magnitude)
    assert cost(tiny) < 2.0 * usual
    assert cost(mixed) < 2.0 * usual


def test_phase_gradients_alone_need_no_block(magnitude) -> None:
    """RTPGHI frame by frame is RTPGHI block by block: it looks one frame ahead and no more."""
    single = np.concatenate(run(make_phase("gradient", STFT), magnitude[:, :60], [1] * 60))
    block = np.concatenate(run(make_phase("gradient", STFT), magnitude[:, :60], [60]))
    np.testing.assert_allclose(single, block, atol=1e-3)


@pytest.mark.parametrize(("window", "hop"), [(256, 128), (512, 64)])
def test_the_papers_transforms_stream_without_a_seam(window: int, hop: int) -> None:
    stft = Stft(window, hop)
    x = piano(2.0)[::2].copy()
    target = np.abs(stft.forward(x))
    target[-1] = 0.0
    phase = make_phase(DEFAULT_PHASE, stft)
    half = target.shape[1] // 2
    parts = [phase.push(target[:, :half]), phase.push(target[:, half:]), phase.flush()]
    out = np.concatenate(parts)
    assert out.size == stft.samples_of(target.shape[1])
    assert seam_jumps(out, [parts[0].size]).max() < 4.0
    got = np.abs(stft.forward(out))
    assert spectral_convergence(target[:, 4:-4], got[:, 4:-4]) < 0.25


def test_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'vocoder'.*gradient-gl"):
        make_phase("vocoder", STFT)


@pytest.mark.parametrize(("iterations", "lookahead"), [(-1, 4), (4, -1)])
def test_impossible_numbers_are_refused(iterations: int, lookahead: int) -> None:
    with pytest.raises(ConfigError, match="-1"):
        make_phase(DEFAULT_PHASE, STFT, iterations=iterations, lookahead=lookahead)


def test_magnitudes_of_another_height_are_refused() -> None:
    with pytest.raises(ConfigError, match="512"):
        make_phase(DEFAULT_PHASE, STFT).push(np.zeros((512, 4), np.float32))
