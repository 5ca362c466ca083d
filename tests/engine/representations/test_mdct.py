"""The MDCT: perfect reconstruction, streaming, companding, states."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, PackError
from engine.representations.kinds import make_representation
from engine.representations.mdct import forward, make_window
from engine.representations.signals import Grid, Signal

HOP = 32
FILES = {"scales.npy": np.linspace(4.0, 0.5, HOP).astype(np.float32), "bad.npy": np.zeros(HOP)}


def make(channels=1, rows=HOP, hop: Fraction | int = HOP, rate=16_000, **options):
    signal = Signal(
        "coefficients", "mdct", rows * channels, channels, Grid(samples=Fraction(hop)),
        options=options,
    )  # fmt: skip
    return make_representation(signal, rate, FILES.__getitem__)


def noise(channels, frames, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (channels, frames * HOP)).astype(np.float32)


@pytest.mark.parametrize("taper", ["sine", "vorbis", "kbd"])
@pytest.mark.parametrize("hop", [2, 64, 1024])
def test_windows_satisfy_princen_and_bradley(taper, hop):
    window = make_window(taper, hop, 4.0)
    np.testing.assert_allclose(window[:hop] ** 2 + window[hop:] ** 2, 1.0, atol=1e-6)
    np.testing.assert_allclose(window, window[::-1], atol=1e-6)


def test_coefficients_are_those_of_the_definition():
    """Princen, Johnson and Bradley 1987, with sqrt(2 / N) in front, summed term by term."""
    x = noise(1, 4)
    window = make_window("sine", HOP, 4.0)
    n, k = np.arange(2 * HOP), np.arange(HOP)
    basis = np.cos(np.pi / HOP * np.outer(k + 0.5, n + 0.5 + HOP / 2)) * np.sqrt(2 / HOP)
    wanted = basis @ (window * x[0, HOP : 3 * HOP])
    np.testing.assert_allclose(forward(x, window)[0, :, 1], wanted, atol=1e-5)


# Companded with an exponent of 0.5 the inverse squares what rounding left of a coefficient of up
# to 6, so float32 leaves a few times 1e-6; 2e-5 is -94 dB of full scale.
@settings(max_examples=30, deadline=None)
@given(
    channels=st.integers(1, 2),
    taper=st.sampled_from(["sine", "vorbis", "kbd"]),
    exponent=st.sampled_from([1.0, 0.5, 0.3]),
    chunks=st.lists(st.integers(0, 7), min_size=1, max_size=6),
)
def test_any_chunking_reconstructs_the_sound(channels, taper, exponent, chunks):
    sound = make(channels, taper=taper, exponent=exponent, scales="scales.npy")
    x = noise(channels, sum(chunks) + 1)
    frames, decoder, parts, at = sound.encode(x), sound.decoder(), [], 0
    assert frames.shape == (HOP * channels, sum(chunks))
    for size in chunks:
        parts.append(decoder.push(frames[:, at : at + size]))
        assert parts[-1].shape == (channels, size * HOP)
        at += size
    out = np.concatenate([*parts, decoder.flush()], axis=1)
    assert out.shape == (channels, x.shape[1] if at else HOP)
    inner = slice(HOP, at * HOP)  # the first and the last hop lack a neighbour
    np.testing.assert_allclose(out[:, inner], x[:, inner], atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 2),
    before=st.lists(st.integers(0, 5), max_size=3),
    after=st.lists(st.integers(0, 5), min_size=1, max_size=3),
)
def test_a_restored_decoder_continues_to_the_bit(channels, before, after):
    sound = make(channels)
    frames = sound.encode(noise(channels, 40))
    one, other, at = sound.decoder(), sound.decoder(), 0
    for size in before:
        one.push(frames[:, at : at + size])
        at += size
    other.push(frames[:, 30:35])
    other.restore(one.state())
    for size in after:
        part = frames[:, at : at + size]
        np.testing.assert_array_equal(one.push(part), other.push(part))
        at += size
    np.testing.assert_array_equal(one.flush(), other.flush())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [0, 1, 6])
def test_a_primed_decoder_continues_real_sound_exactly(channels, frames):
    sound, x = make(channels), noise(channels, 20)
    decoder = sound.decoder()
    columns, rewind = decoder.prime(x[:, : 10 * HOP], frames)
    assert rewind == HOP
    np.testing.assert_array_equal(columns, sound.encode(x[:, : 10 * HOP])[:, 9 - frames :])
    out = decoder.push(sound.encode(x)[:, 9:])
    np.testing.assert_allclose(out, x[:, 9 * HOP : 19 * HOP], atol=2e-5)


def test_a_short_past_follows_silence():
    columns, _ = make().decoder().prime(noise(1, 1), 4)
    assert not columns[:, :2].any()
    assert columns[:, 3].any()


def test_rows_that_are_left_out_are_silent():
    """A quarter of the coefficients holds what is below a quarter of half the rate."""
    low = make(rows=HOP // 4, exponent=1.0)
    t = np.arange(200 * HOP) / 16_000
    bass, treble = (np.sin(2 * np.pi * f * t)[None].astype(np.float32) for f in (500.0, 5000.0))

    def through(x):
        return low.decoder().push(low.encode(x))[:, HOP:]

    inner = slice(HOP, HOP + through(bass).shape[1])
    assert np.abs(through(bass) - bass[:, inner]).max() < 0.02
    assert np.abs(through(treble)).max() < 0.02


def test_the_transform_keeps_energy():
    x = noise(1, 400)
    frames = make(exponent=1.0).encode(x)
    assert (frames**2).sum() == pytest.approx(float((x**2).sum()), rel=0.02)  # but for the ends


def test_companding_brings_soft_coefficients_nearer_to_loud_ones():
    x = noise(1, 40)
    linear, companded = make(exponent=1.0), make(exponent=0.5)
    assert linear.encode(0.01 * x).std() / linear.encode(x).std() == pytest.approx(0.01, rel=1e-3)
    share = companded.encode(0.01 * x).std() / companded.encode(x).std()
    assert share == pytest.approx(0.1, rel=1e-3)


def test_full_scale_is_not_clipped_and_values_of_a_diverged_network_are_held_and_counted():
    sound = make()
    decoder = sound.decoder()
    t = np.arange(20 * HOP) / 16_000
    decoder.push(sound.encode(np.sign(np.sin(2 * np.pi * 700 * t))[None].astype(np.float32)))
    assert decoder.clipped == 0
    wild = np.zeros((HOP, 3), np.float32)
    wild[1, 0], wild[2, 1], wild[3, 2] = np.nan, np.inf, -1e30
    assert np.isfinite(decoder.push(wild)).all()
    assert decoder.clipped == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 33, "rows": 32}, "even hop"),
        ({"rows": 34}, "34 rows per channel and 32 samples"),
        ({"hop": Fraction(65, 2)}, "whole samples"),
        ({"rows": 16, "scales": "scales.npy"}, "use 16 numbers over 0"),
        ({"scales": "bad.npy"}, "over 0"),
        ({"taper": "hann"}, "sine, vorbis, kbd"),
        ({"exponent": 0.0}, "exponent is 0"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(change, message):
    with pytest.raises((ConfigError, PackError), match=message) as refused:
        make(**change)
    assert "\n" not in str(refused.value)


def test_a_state_of_another_hop_is_refused():
    with pytest.raises(ConfigError, match="another version"):
        make().decoder().restore(make(hop=64, rows=64).decoder().state())
