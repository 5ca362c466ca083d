"""Log magnitudes as a representation: mono as it always was, stereo, streams, states."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.phase_measures import spectral_convergence
from engine.errors import ConfigError, PackError
from engine.representations.kinds import make_representation
from engine.representations.signals import Grid, Signal

RATE = 16_000
STORED = Path(__file__).parent / "log_magnitude_samples.npz"
OPTIONS = {"window": 256, "floor": 1e-3, "scale": 2.0, "mean": "mean.npy"}


def make(channels=1, rows=None, hop: Fraction | int = 64, mean=None, empty: str | float = "", **o):
    rows = 128 * channels if rows is None else rows
    files = {
        "mean.npy": np.full(rows // channels, -3.0, np.float32) if mean is None else mean,
        "empty.npy": np.arange(rows, dtype=np.float32),
        "short.npy": np.zeros(5, np.float32),
    }
    grid = Grid(samples=Fraction(hop))
    signal = Signal(
        "sound", "log-magnitude", rows, channels, grid, empty=empty, options=OPTIONS | o
    )
    return make_representation(signal, RATE, files.__getitem__)


def chord(seconds: float, channels: int = 1) -> np.ndarray:
    """Decaying partials; each channel has its own balance of them."""
    t = np.arange(int(seconds * RATE)) / RATE
    notes = [np.exp(-t * k) * np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 9)]
    balance = 0.2 + 0.6 * np.random.default_rng(1).random((channels, len(notes)))
    return (0.2 * balance @ np.array(notes)).astype(np.float32)


def pushed(decoder, frames: np.ndarray, sizes) -> np.ndarray:
    parts, at = [decoder.push(frames[:, :0])], 0
    for size in sizes:
        parts.append(decoder.push(frames[:, at : at + size]))
        at += size
    return np.concatenate(parts, axis=1)


def test_the_samples_are_those_that_were_stored():
    """Decoded by the program as it was when the shipped pack was made, within rounding."""
    stored = np.load(STORED)
    sound = make(mean=stored["mean"])
    decoder = sound.decoder()
    columns, rewind = decoder.prime(stored["past"][None], 8)
    np.testing.assert_allclose(columns, stored["columns"], atol=1e-4)
    assert rewind == 192
    out = [decoder.push(block)[0] for block in np.split(stored["frames"], [20, 33], axis=1)]
    np.testing.assert_allclose(np.concatenate(out), stored["samples"], atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_magnitudes_survive_encoding_and_decoding(channels):
    sound, x = make(channels), chord(1.0, channels)
    frames = sound.encode(x)
    assert frames.shape == (128 * channels, (x.shape[1] - 256) // 64 + 1)
    decoder = sound.decoder()
    out = np.concatenate([pushed(decoder, frames, [64, 64, 128]), decoder.flush()], axis=1)
    assert out.shape == (channels, (frames.shape[1] - 1) * 64 + 256)
    for own, got in zip(x, out, strict=True):
        target, result = (np.abs(sound.stft.forward(s))[:, 4:-4] for s in (own, got))
        target = target[:, : result.shape[1]]
        assert spectral_convergence(target, result) < 0.1
    assert decoder.clipped == 0


def test_channels_keep_their_phase_to_each_other():
    """A source between the loudspeakers stays there: where levels differ, phases do not."""
    sound = make(2)
    x = chord(1.5, 1)[0]
    frames = sound.encode(np.stack([x, 0.5 * x]))
    left, right = pushed(sound.decoder(), frames, [100, 100])
    assert np.corrcoef(left[1000:], right[1000:])[0, 1] > 0.99


def test_equal_channels_have_equal_samples():
    sound = make(2)
    x = chord(1.0)[0]
    left, right = pushed(sound.decoder(), sound.encode(np.stack([x, x])), [100, 60])
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_primed_decoder_continues_real_sound(channels):
    """Across the join, 12 ms on both sides, the stream follows the sound that it continues."""
    sound, x = make(channels), chord(1.0, channels)
    decoder = sound.decoder()
    columns, rewind = decoder.prime(x[:, :8000], 32)
    assert columns.shape == (128 * channels, 32)
    begin = 8000 - rewind
    out = decoder.push(sound.encode(x[:, begin:])[:, :40])
    for own, got in zip(x, out, strict=True):
        across = own[begin : begin + 384]
        assert np.corrcoef(across, got[:384])[0, 1] > 0.95


def test_a_short_past_follows_silence():
    sound = make()
    columns, _ = sound.decoder().prime(chord(0.01), 12)
    assert columns.shape == (128, 12)
    np.testing.assert_allclose(columns[:, 0], sound.encode(np.zeros((1, 256), np.float32))[:, 0])


@settings(max_examples=12, deadline=None)
@given(
    channels=st.integers(1, 2),
    phase=st.sampled_from(["gradient-gl", "gradient"]),
    before=st.lists(st.integers(0, 20), max_size=3),
    after=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    primed=st.booleans(),
)
def test_a_restored_decoder_continues_to_the_bit(channels, phase, before, after, primed):
    sound = make(channels, phase=phase)
    frames = sound.encode(chord(1.0, channels))
    one, other = sound.decoder(), sound.decoder()
    if primed:
        one.prime(chord(0.3, channels), 4)
    pushed(one, frames, before)
    other.push(frames[:, 50:77])  # what the state replaces
    other.restore(one.state())
    rest = frames[:, sum(before) :]
    np.testing.assert_array_equal(pushed(one, rest, after), pushed(other, rest, after))
    np.testing.assert_array_equal(one.flush(), other.flush())


def test_a_state_is_a_copy():
    sound = make(2)
    frames = sound.encode(chord(1.0, 2))
    decoder, other = sound.decoder(), sound.decoder()
    decoder.push(frames[:, :30])
    state = decoder.state()
    kept = {name: array.copy() for name, array in state.items()}
    wanted = decoder.push(frames[:, 30:60])
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])
    other.restore(state)
    np.testing.assert_array_equal(other.push(frames[:, 30:60]), wanted)


def test_a_state_of_another_window_is_refused():
    state = make().decoder().state()
    with pytest.raises(ConfigError, match="another version"):
        make(window=512).decoder().restore(state)
    with pytest.raises(ConfigError, match="'phase'"):
        make().decoder().restore({})


def test_a_reset_decoder_is_a_new_one():
    sound = make()
    frames = sound.encode(chord(1.0))
    decoder = sound.decoder()
    wanted = decoder.push(frames[:, :40])
    decoder.reset()
    np.testing.assert_array_equal(decoder.push(frames[:, :40]), wanted)


def test_values_of_a_network_that_diverged_are_held_and_counted():
    sound = make()
    wild = np.zeros((128, 20), np.float32)
    wild[3, 4], wild[5, 6], wild[7, 8] = np.nan, np.inf, 1e30
    decoder = sound.decoder()
    assert np.isfinite(decoder.push(wild)).all()
    assert decoder.clipped == 3
    held, events = sound.projection().project(wild, 20)
    assert (held[3, 4], held[5, 6], held[7, 8]) == (0, 6, 6)
    assert events == ()
    assert np.isnan(wild[3, 4]), "the block itself is left alone"


def test_the_empty_frame_is_the_mean_a_number_or_a_file():
    assert not make().empty.any()
    assert (make(empty=-2.0).empty == -2).all()
    np.testing.assert_array_equal(make(empty="empty.npy").empty[:, 0], np.arange(128))


def test_each_channel_may_have_a_mean_of_its_own():
    means = np.concatenate([np.full(128, -3.0), np.full(128, -5.0)]).astype(np.float32)
    x = chord(0.2)[0]
    left, right = np.split(make(2, mean=means).encode(np.stack([x, x])), 2)
    np.testing.assert_allclose(right - left, 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 100}, "hop 100"),
        ({"hop": Fraction(129, 2)}, "whole samples"),
        ({"rows": 130}, "130 bins"),
        ({"rows": 129, "channels": 2}, "129 rows in 2 channels"),
        ({"mean": np.zeros(5)}, r"\(5,\)"),
        ({"floor": 0.0}, "floor is 0.0"),
        ({"phase": "vocoder"}, "gradient-raar"),
        ({"colour": 3}, "colour is unknown"),
        ({"empty": "short.npy"}, "use one frame of 128"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(change, message):
    with pytest.raises((ConfigError, PackError), match=message) as refused:
        make(**change)
    assert "\n" not in str(refused.value)


def test_sound_and_frames_of_another_shape_are_refused():
    with pytest.raises(ConfigError, match=r"\(1, samples\)"):
        make().encode(np.zeros((2, 4000), np.float32))
    with pytest.raises(ConfigError, match=r"\(128, frames\)"):
        make().decoder().push(np.zeros((127, 4), np.float32))
