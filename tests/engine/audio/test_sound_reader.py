"""Sound files as the world has them: read as far as they go, or one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from attacca.seed_audio import read_past
from engine.errors import StorageError

RATE = 48000
# What makes each file: see `write`. Those that are refused say so with these words.
REFUSED = {
    "no-samples.wav": "too few", "one-sample.wav": "too few", "nan.wav": "NaN or infinite",
    "infinite.wav": "NaN or infinite", "rate-1.wav": "1 frames a second",
    "rate-100.wav": "100 frames a second", "rate-2g.wav": "2000000000 frames a second",
    "raw.raw": "does not say its rate", "text.wav": "not recognised",
    "empty.wav": "not recognised", "cut.ogg": "too few",
}  # fmt: skip
READ = {
    "pcm24.wav": 2.0, "f64.wav": 2.0, "u8.wav": 2.0, "8-channels.wav": 2.0, "192k.wav": 2.0,
    "8k.wav": 2.0, "96k-2-channels.flac": 2.0, "rate-655350.flac": 1.0, "huge-values.wav": 2.0,
    "loud-x1000.wav": 2.0, "denormals.wav": 10.0, "silence.wav": 2.0, "dc.wav": 2.0, "a.mp3": 2.0,
    "a.ogg": 2.0, "a.opus": 2.0, "a.aiff": 2.0, "a.au": 2.0, "a.w64": 2.0, "a.caf": 2.0,
    "a.rf64": 2.0, "ulaw.wav": 2.0, "adpcm.wav": 2.0, "gsm.wav": 2.0, "no-ending": 2.0,
    "wrong-ending.mp3": 2.0, "cut.wav": 1.0, "crashed.wav": 2.0, "stream.wav": 2.0,
    "cut.flac": 0.9, "garbage-middle.flac": 0.9, "no-length.flac": 2.0, "cut-no-length.flac": 0.9,
    "lying-length.flac": 2.0, "chained.ogg": 2.0, "cut.mp3": 0.9, "id3.mp3": 2.0,
    "junk-before.mp3": 2.0,
}  # fmt: skip


def tone(frames: int, channels: int = 1) -> np.ndarray:
    sine = 0.2 * np.sin(2 * np.pi * 440 * np.arange(frames) / RATE)
    return sine[:, None] * np.ones((1, channels))


def flac_length(data: bytes, samples: int) -> bytes:
    """The same FLAC file, with another length in its header."""
    changed = bytearray(data)
    changed[21] = changed[21] & 0xF0 | samples >> 32
    changed[22:26] = (samples & 0xFFFFFFFF).to_bytes(4)
    return bytes(changed)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")

    def write(name, x, rate=RATE, **kind):
        soundfile.write(folder / name, x, rate, **kind)
        return (folder / name).read_bytes()

    def put(name, data):
        (folder / name).write_bytes(data)

    two = tone(2 * RATE)
    wav = write("pcm24.wav", two, subtype="PCM_24")
    write("no-samples.wav", tone(0)), write("one-sample.wav", tone(1))
    for name, kind in {
        "f64.wav": "DOUBLE", "u8.wav": "PCM_U8", "ulaw.wav": "ULAW", "adpcm.wav": "IMA_ADPCM",
    }.items():  # fmt: skip
        write(name, two, subtype=kind)
    write("gsm.wav", tone(16000), 8000, subtype="GSM610")
    write("8-channels.wav", tone(2 * RATE, 8))
    write("192k.wav", tone(384000), 192000), write("8k.wav", tone(16000), 8000)
    write("rate-1.wav", tone(48000), 1), write("rate-100.wav", tone(48000), 100)
    write("rate-2g.wav", two, 2_000_000_000)
    write("rate-655350.flac", tone(655350), 655350)
    for name, x in {
        "nan.wav": np.where(np.arange(96000) == 5000, np.nan, 0.1),
        "infinite.wav": np.where(np.arange(96000) == 5000, np.inf, 0.1),
        "huge-values.wav": two * 1e30, "loud-x1000.wav": two * 1000,
        "denormals.wav": np.full(480000, 1e-40), "silence.wav": np.zeros(96000),
        "dc.wav": np.ones(96000),
    }.items():  # fmt: skip
        write(name, x, subtype="FLOAT")
    for name in ("a.aiff", "a.au", "a.w64", "a.caf"):
        write(name, two)
    write("a.rf64", two, format="RF64"), write("a.opus", two, format="OGG", subtype="OPUS")
    put("raw.raw", bytes(96000)), put("text.wav", b"hello"), put("empty.wav", b"")
    put("no-ending", wav), put("wrong-ending.mp3", wav), put("cut.wav", wav[: len(wav) // 2])
    put("crashed.wav", wav[:40] + bytes(4) + wav[44:])
    put("stream.wav", wav[:4] + b"\xff" * 4 + wav[8:40] + b"\xff" * 4 + wav[44:])
    flac = write("96k-2-channels.flac", tone(192000, 2), 96000)
    half = flac[: len(flac) // 2]
    put("cut.flac", half), put("no-length.flac", flac_length(flac, 0))
    put("garbage-middle.flac", half + bytes(5000) + flac[len(half) + 5000 :])
    put("cut-no-length.flac", flac_length(half, 0))
    put("lying-length.flac", flac_length(flac, (1 << 36) - 1))
    ogg = write("a.ogg", two)
    put("cut.ogg", ogg[: len(ogg) // 2]), put("chained.ogg", ogg + ogg)
    mp3 = write("a.mp3", two)
    put("cut.mp3", mp3[: len(mp3) // 2]), put("junk-before.mp3", b"junk" * 300 + mp3)
    put("id3.mp3", b"ID3\x03\0\0\0\0\x07v" + bytes(1014) + mp3)
    return folder


def test_every_odd_file_is_tried(files):
    assert {p.name for p in files.iterdir()} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("channels", [1, 2])
def test_an_odd_file_is_read(files, name, channels):
    past = read_past(files / name, 24000, channels)
    assert past.dtype == np.float32
    assert past.shape[1] == channels
    assert len(past) / 24000 == pytest.approx(READ[name], abs=0.15)
    assert np.abs(past).max() < 1.2
    # In the middle, far from where resampling rings: a tone, not its first block.
    if name not in ("denormals.wav", "silence.wav"):
        middle = np.abs(past[len(past) // 4 : len(past) // 2]).max()
        assert middle > 0.9 if name in ("loud-x1000.wav", "huge-values.wav", "dc.wav") else 0.15


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_one_line(files, name):
    with pytest.raises(StorageError, match=REFUSED[name]) as caught:
        read_past(files / name, 24000, 1)
    assert repr(str(files / name)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".ogg", ".mp3"])
def test_the_end_of_a_long_file_is_what_is_read(tmp_path, suffix):
    ramp = np.repeat(np.linspace(0.1, 0.9, 45), 8000) * np.sin(np.arange(45 * 8000) * 0.3)
    path = tmp_path / f"long{suffix}"
    soundfile.write(path, ramp, 8000)
    past = read_past(path, 8000, 1)
    assert len(past) == 30 * 8000
    whole = soundfile.read(path, dtype="float32")[0]
    assert np.abs(past[4000:, 0] - whole[-30 * 8000 + 4000 :]).max() < 1e-3


def test_the_end_of_a_long_flac_file_without_a_length_is_read(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 45 * 8000)
    path = tmp_path / "long.flac"
    soundfile.write(path, noise, 8000, subtype="PCM_24")
    path.write_bytes(flac_length(path.read_bytes(), 0))
    assert np.allclose(read_past(path, 8000, 1)[:, 0], noise[-30 * 8000 :], atol=1e-6)


def test_a_file_of_a_thousand_channels_and_a_lying_header_takes_little_memory(tmp_path):
    head = soundfile.SoundFile(tmp_path / "a.wav", "w", 192000, 1000, subtype="PCM_16")
    head.close()
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / "a.wav").write_bytes(data + bytes(2000 * 40_000))
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from pathlib import Path
from attacca.seed_audio import read_past
print(read_past(Path({str(tmp_path / "a.wav")!r}), 24000, 2).shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[3], env={"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == "(5000, 2)", done.stderr
