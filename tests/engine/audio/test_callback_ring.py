"""The C callback and its ring, called directly: what a listener would hear, sample by sample."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio import native
from engine.audio.build_native import build
from engine.audio.ring import OutputRing
from engine.errors import ConfigError, DeviceError

FADE = 240
OUTPUT_UNDERFLOW = 0x4
LIBRARY = functools.cache(native.load)


def call(ring: OutputRing, frames: int, flags: int = 0, library=None) -> np.ndarray:
    """One call as PortAudio makes it."""
    library = library or LIBRARY()
    function, user = ring.callback()
    ffi = library.ffi
    signature = "int(*)(const void*, void*, unsigned long, const void*, unsigned long, void*)"
    out = np.full((frames, ring.channels), np.nan, np.float32)
    result = ffi.cast(signature, function)(
        ffi.NULL, ffi.from_buffer(out), frames, ffi.NULL, flags, ffi.cast("void*", user)
    )
    assert result == 0
    return out


def sine(frames: int, start: int = 0, channels: int = 2) -> np.ndarray:
    t = np.arange(start, start + frames)
    left = 0.8 * np.sin(2 * np.pi * 440 * t / 48000)
    return np.stack([left * (-1) ** c for c in range(channels)], axis=1).astype(np.float32)


def biggest_jump(x: np.ndarray) -> float:
    return float(np.abs(np.diff(x, axis=0)).max())


OWN_JUMP = biggest_jump(sine(4800))


@settings(max_examples=60, deadline=None)
@given(
    channels=st.integers(1, 5),
    capacity=st.integers(1, 200),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=60),
)
def test_frames_come_out_as_they_went_in(channels, capacity, moves):
    ring = OutputRing(capacity, channels)
    numbers = np.arange(200 * 60 * channels, dtype=np.float32).reshape(-1, channels)
    written = taken = 0
    for is_write, count in moves:
        fill = written - taken
        if is_write:
            got = ring.write(numbers[written : written + count])
            assert got == min(count, ring.capacity - fill)
            written += got
        else:
            out = ring.read(count)
            assert len(out) == min(count, fill)
            np.testing.assert_array_equal(out, numbers[taken : taken + len(out)])
            taken += len(out)
        assert ring.fill == written - taken
        assert ring.space == ring.capacity - ring.fill
    ring.close()


@settings(max_examples=30, deadline=None)
@given(blocks=st.lists(st.integers(1, 700), min_size=5, max_size=40))
def test_steady_playing_is_bit_exact_after_the_fade_in(blocks):
    ring = OutputRing(2048, 2, fade_frames=FADE, resume_frames=1)
    written, heard = 0, []
    for block in blocks:
        written += ring.write(sine(ring.space, written))
        heard.append(call(ring, block))
    x = np.concatenate(heard)
    np.testing.assert_array_equal(x[FADE:], sine(len(x))[FADE:])
    assert ring.stats().underruns == 0
    assert biggest_jump(np.concatenate([np.zeros((1, 2)), x])) <= OWN_JUMP


def test_nothing_is_counted_before_the_first_sound():
    ring = OutputRing(1024, 2)
    assert not call(ring, 256).any()
    stats = ring.stats()
    assert (stats.underruns, stats.missing_frames, stats.idle_frames) == (0, 0, 256)


@pytest.mark.parametrize("left", [1, 17, 100, 255, 256])
def test_an_underrun_fades_instead_of_clicking(left):
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=512)
    start = 1024 + left
    ring.write(sine(start))
    heard = [call(ring, 256) for _ in range(8)]
    gap = start - 8 * 256
    ring.write(sine(2048, 5000))
    heard += [call(ring, 256) for _ in range(8)]
    x = np.concatenate(heard)
    assert biggest_jump(x) < OWN_JUMP + 1.5 * 0.8 / FADE + 1e-3
    assert not x[start + FADE : 2048].any(), "silence after the fade"
    assert x[start : start + FADE // 2].any(), "not cut off"
    np.testing.assert_array_equal(x[2048 + FADE : 4096], sine(2048, 5000)[FADE:])
    stats = ring.stats()
    assert stats.underruns == 1
    assert stats.missing_frames == -gap
    assert (stats.callbacks, stats.frames_out, stats.last_block) == (16, 4096, 256)


def test_a_starved_producer_makes_few_gaps_and_no_stutter():
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=1024)
    written, heard = ring.write(sine(1024)), []
    for _ in range(100):  # it delivers a quarter of what is played
        written += ring.write(sine(64, written))
        heard.append(call(ring, 256))
    assert 1 <= ring.stats().underruns <= 7
    assert biggest_jump(np.concatenate(heard)) < OWN_JUMP + 1.5 * 0.8 / FADE + 1e-3


def test_data_that_come_back_during_the_fade_out_join_without_a_click():
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=64)
    ring.write(sine(300))
    heard = [call(ring, 64) for _ in range(6)]
    ring.write(sine(2000, 77))
    heard += [call(ring, 64) for _ in range(20)]
    assert ring.stats().underruns == 1
    assert biggest_jump(np.concatenate(heard)) < OWN_JUMP + 3 * 0.8 / FADE + 1e-3


def test_mute_fades_and_holds_and_loses_nothing():
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=1)
    ring.write(sine(4096))
    first = call(ring, 512)
    ring.mute(True)
    silent = call(ring, 1024)
    held = ring.fill
    assert not call(ring, 256).any()
    assert ring.fill == held == 4096 - 512 - FADE
    ring.mute(False)
    back = call(ring, 1024)
    assert biggest_jump(np.concatenate([first, silent, back])) <= OWN_JUMP + 1.5 * 0.8 / FADE
    assert not silent[FADE:].any()
    np.testing.assert_array_equal(back[FADE:], sine(1024, 512 + FADE)[FADE:])
    assert ring.stats().underruns == 0


def test_flush_fades_drops_what_was_queued_and_goes_on_with_what_comes():
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=1)
    ring.write(sine(2000))
    before = call(ring, 500)
    ring.flush()
    ring.write(sine(1500, 9000))
    after = call(ring, 1000)
    np.testing.assert_array_equal(after[2 * FADE :], sine(1500, 9000)[FADE : 1000 - FADE])
    assert biggest_jump(np.concatenate([before, after])) <= OWN_JUMP + 1.5 * 0.8 / FADE
    stats = ring.stats()
    assert (stats.flushed_frames, stats.underruns) == (2000 - 500 - FADE, 0)


def test_a_stream_opened_again_is_silent_while_the_device_fills_and_then_fades_in():
    ring = OutputRing(4096, 2, fade_frames=FADE, resume_frames=1)
    ring.write(sine(4096))
    call(ring, 777)
    ring.rest(1000)
    x = np.concatenate([call(ring, 600) for _ in range(4)])
    assert not x[:1000].any()
    assert biggest_jump(x) <= OWN_JUMP + 1.5 * 0.8 / FADE
    played = x[1200:]
    np.testing.assert_array_equal(played[FADE:], sine(1200, 777)[FADE:])


def test_portaudio_flags_and_the_lowest_fill_are_recorded():
    ring = OutputRing(1024, 1, resume_frames=1)
    ring.write(sine(1000, channels=1))
    call(ring, 100)
    call(ring, 100, flags=OUTPUT_UNDERFLOW)
    assert ring.stats().output_underflows == 1
    assert ring.take_min_fill() == 900
    assert ring.take_min_fill() == ring.capacity


@pytest.mark.parametrize(
    "block",
    [np.zeros((4, 3), np.float32), np.zeros((4, 2)), np.zeros(4, np.float32)],
    ids=["channels", "float64", "flat"],
)
def test_a_block_of_another_shape_is_refused(block):
    with pytest.raises(ConfigError, match=r"use float32 \[frames, 2\]"):
        OutputRing(64, 2).write(block)


@pytest.mark.parametrize("size", [(0, 2), (64, 0), (64, 65), (1 << 25, 2)])
def test_a_ring_that_cannot_be_is_refused(size):
    with pytest.raises(ConfigError, match=str(size[0])):
        OutputRing(*size)


def test_a_closed_ring_says_so():
    ring = OutputRing(64, 2)
    ring.close()
    ring.close()
    with pytest.raises(ConfigError, match="closed"):
        ring.write(np.zeros((4, 2), np.float32))


# ----------------------------------------------------------------------- the shipped libraries


def test_every_shipped_library_is_built_from_the_source_at_hand():
    for name, _ in native.TARGETS.values():
        data = (native.FOLDER / name).read_bytes()
        assert native.source_hash().encode() in data, f"{name}: run build_native"
        assert len(data) < 100_000
    assert native.load().hash == native.source_hash()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_a_local_build_behaves_identically(tmp_path: Path):
    flags = ("-fsanitize=undefined", "-fno-sanitize-recover") if shutil.which("gcc") else ()
    local = native.load(build(["cc"], tmp_path / "local.so", flags))
    results = []
    for library in (native.load(), local):
        ring = OutputRing(1024, 2, fade_frames=FADE, resume_frames=128, library=library)
        random = np.random.default_rng(7)
        heard, written = [], 0
        for step in range(300):
            written += ring.write(sine(int(random.integers(0, 300)), written))
            if step % 40 == 20:
                ring.flush()
            ring.mute(step % 50 > 44)
            heard.append(call(ring, int(random.integers(1, 300)), library=library))
        results.append((np.concatenate(heard), ring.stats()))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-6)
    assert results[0][1] == results[1][1]
    assert results[0][1].underruns > 3


def test_a_platform_without_a_library_is_reported_in_one_line():
    with pytest.raises(DeviceError, match=r"'plan9' on 'mips'.*build_native") as caught:
        native.library_path("plan9", "mips")
    assert "\n" not in str(caught.value)


def test_a_stale_or_broken_library_is_refused(tmp_path: Path):
    source = tmp_path / "callback.c"
    source.write_text("int changed;\n")
    with pytest.raises(DeviceError, match="another callback"):
        native.NativeLibrary(native.library_path(), source)
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(DeviceError, match="cannot be opened"):
        native.NativeLibrary(broken)
    with pytest.raises(DeviceError, match="missing"):
        native.NativeLibrary(tmp_path / "absent.so")


def test_line_ends_of_the_checkout_do_not_matter(tmp_path: Path):
    windows = tmp_path / "callback.c"
    windows.write_bytes(native.SOURCE.read_bytes().replace(b"\n", b"\r\n"))
    assert native.source_hash(windows) == native.source_hash()
