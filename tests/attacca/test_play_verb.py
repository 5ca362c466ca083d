"""Playing from the command line: without a device, with keys, to a sound server, after a crash."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import attacca, environment, no_sound, running, terminal
from sound_servers import PulseServer

from attacca import Instrument


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# On a port of its own: others may play meanwhile, and a taken port is said.
FEW = ["--steps", "2", "--osc-port", str(free_port())]


def wait_until(true: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def loudness(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def test_without_a_device_the_music_goes_on_into_the_file(tmp_path: Path) -> None:
    done = attacca(
        "play", *FEW, "--duration", 4, "--record", "take.wav", cwd=tmp_path, env=no_sound(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "no sound output device" in done.stderr
    assert "attacca doctor" in done.stderr
    assert "\x1b" not in done.stdout
    assert re.search(r"playing  peak .* dB  lead .* steps 2 ", done.stdout)
    assert re.search(r"played 4\.\d s, 0 xruns, 0 gaps", done.stdout)
    sound, rate = soundfile.read(tmp_path / "take.wav")
    assert len(sound) / rate > 3.5
    assert loudness(sound) > 1e-4


@pytest.mark.slow
def test_a_device_requested_by_name_has_to_exist(tmp_path: Path) -> None:
    done = attacca("play", "--device", "Steinway", cwd=tmp_path, env=no_sound(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none/take.wav", "take.mp9", "folder.wav"])
def test_a_recording_that_cannot_be_written_ends_with_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    done = attacca("play", *FEW, "--device", "none", "--record", name, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert name in done.stderr


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_fades_out_and_ends_well(how: signal.Signals, tmp_path: Path) -> None:
    arguments = ["play", *FEW, "--device", "none", "--record", "take.wav", "--gain", "6"]
    with running(*arguments, cwd=tmp_path) as process:
        assert process.stdout is not None
        while "playing" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(1.5)
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert err == ""
    assert "played" in out
    sound, rate = soundfile.read(tmp_path / "take.wav")
    end = loudness(sound[-round(0.05 * rate) :])
    before = loudness(sound[-round(1.0 * rate) : -round(0.5 * rate)])
    assert before > 1e-4
    assert end < 0.05 * before
    assert np.abs(sound[-16:]).max() < 1e-4


def test_keys_steer_the_music_and_the_terminal_is_put_back(tmp_path: Path) -> None:
    import termios

    with terminal("play", *FEW, "--device", "none", "--seed", 5, cwd=tmp_path) as screen:
        before = termios.tcgetattr(screen._fd)
        screen.wait_for("playing")
        screen.wait_for("seed 5")
        screen.type(" ")
        screen.wait_for("paused")
        screen.type(" ")
        screen.wait_for("pause: off")
        screen.type("r")
        screen.wait_for("recording attacca-")
        screen.type("+")
        screen.wait_for("steps: 3")
        screen.type("]")
        screen.wait_for("gain: +1 dB")
        screen.type("\x1b[B\x1b[B")
        screen.wait_for("gain: -1 dB")
        screen.type("s")
        screen.wait_for("from the next block on")
        screen.type("n")
        screen.wait_for("piece: a new piece starts")
        screen.type("p")
        screen.wait_for("Press play to start a new piece")
        screen.wait_for("paused")
        time.sleep(0.5)
        screen.type("r")
        screen.wait_for("recorded: attacca-")
        screen.type("q")
        assert screen.end() == 0
        assert "played" in screen.seen
        assert termios.tcgetattr(screen._fd) == before
    takes = list(tmp_path.glob("attacca-*-seed5.flac"))
    assert len(takes) == 1
    assert soundfile.info(takes[0]).duration > 0.2


@pytest.mark.slow
def test_a_recording_that_fails_while_playing_is_reported_and_the_music_goes_on(
    tmp_path: Path,
) -> None:
    # The current folder is gone: not even root can write into it.
    gone = tmp_path / "gone"
    gone.mkdir()
    with terminal("play", *FEW, "--device", "none", cwd=gone) as screen:
        screen.wait_for("playing")
        gone.rmdir()
        screen.type("r")
        screen.wait_for("cannot write")
        screen.wait_for("playing")
        screen.type("q")
        assert screen.end() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("key", "files"), [("f", 1), ("m", 0)])
def test_without_a_device_a_terminal_offers_a_choice(key: str, files: int, tmp_path: Path) -> None:
    with terminal("play", *FEW, cwd=tmp_path, env=no_sound(tmp_path)) as screen:
        screen.wait_for("[q]uit?")
        screen.type(key)
        screen.wait_for("playing")
        time.sleep(0.5)
        screen.type("q")
        assert screen.end() == 0
    assert len(list(tmp_path.glob("attacca-*.flac"))) == files


@pytest.mark.slow
def test_at_a_terminal_without_a_device_one_can_leave(tmp_path: Path) -> None:
    with terminal("play", *FEW, cwd=tmp_path, env=no_sound(tmp_path)) as screen:
        screen.wait_for("[q]uit?")
        screen.type("q")
        assert screen.end() == 0
    with terminal("play", *FEW, cwd=tmp_path, env=no_sound(tmp_path)) as screen:
        screen.wait_for("[q]uit?")
        screen.type("\x03")
        assert screen.end() == 0


def test_the_default_device_or_none_plays_without_a_device_and_says_so_once(tmp_path: Path) -> None:
    done = attacca(
        "play", *FEW, "--device", "default-or-none", "--duration", 1, cwd=tmp_path,
        env=no_sound(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("; playing without a sound device") == 1
    assert "played" in done.stdout


def test_in_python_the_default_device_or_none_is_one_event(tmp_path: Path) -> None:
    code = (
        "from attacca import Instrument\n"
        "with Instrument('piano', steps=1, latency=1.0) as piano:\n"
        "    piano.play('default-or-none')\n"
        "    piano.wait_for_sound()\n"
        "    print(piano.status().device)\n"
        "    print(*(f'{e.kind}: {e.text}' for e in piano.events), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=no_sound(tmp_path), cwd=tmp_path,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    device, *events = done.stdout.splitlines()
    assert device == "none"
    assert len(events) == 1
    assert events[0].startswith("device: there is no sound output device")
    assert events[0].endswith("; playing without a sound device")


def test_music_goes_on_after_the_generator_is_killed(tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    with Instrument("piano", steps=2, latency=9.0) as piano:
        piano.play(None)
        piano.wait_for_sound()
        piano.record(take)
        wait_until(lambda: piano.status().lead.seconds > 6.0)
        pid = piano.generator_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        made = piano.status().stream.blocks
        wait_until(lambda: piano.status().stream.blocks >= made + 2)
        assert piano.generator_pid != pid
        assert piano.failure is None
        assert [e.kind for e in piano.events].count("restarted") == 1
        assert piano.status().stream.restarts == 1
        gaps = piano.status().lead.gaps
    sound, rate = soundfile.read(take)
    assert gaps == 0
    quiet = [
        loudness(sound[i : i + rate // 4]) for i in range(0, len(sound) - rate // 4, rate // 4)
    ]
    assert min(quiet[1:-1]) > 1e-6


@pytest.mark.sound
@pytest.mark.slow
@pytest.mark.alone
def test_the_sound_server_receives_music_without_a_gap(pulse: PulseServer, tmp_path: Path) -> None:
    env = environment(**{k: pulse.env[k] for k in ("XDG_RUNTIME_DIR", "PULSE_SERVER", "HOME")})
    with pulse.recording() as heard:
        done = attacca("play", *FEW, "--duration", 8, cwd=tmp_path, env=env)
        time.sleep(0.3)
    assert done.returncode == 0, done.stderr
    assert " 0 gaps" in done.stdout
    sound = np.abs(heard()).max(axis=1)
    begin, end = np.flatnonzero(sound > 0)[[0, -1]]
    music = sound[begin:end]
    assert len(music) / 48000 > 7.0
    assert loudness(music) > 1e-4
    # The longest run of exact zeros between the first and the last sound.
    loud = np.flatnonzero(music > 0)
    assert np.diff(loud).max() < 480
