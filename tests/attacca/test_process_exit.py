"""The end of the program, whatever the sound system does: within 3 s, with the take closed."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile
from command_line import ROOT, environment, running
from sound_servers import JackServer, PulseServer

LIMIT = 3.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def few() -> list[str]:
    return ["--steps", "2", "--osc-port", str(free_port()), "--no-status"]


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True,
        text=True, timeout=30,
    )  # fmt: skip


STUCK = """
import threading
from attacca.process_exit import leave
threading.Thread(target=threading.Event().wait, name="attacca-portaudio", daemon={daemon}).start()
print("played 1.0 s")
raise SystemExit(leave({status}))
"""


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize("status", [0, 1])
def test_a_thread_that_hangs_keeps_neither_the_process_nor_its_last_line(
    daemon: bool, status: int
) -> None:
    began = time.monotonic()
    done = python(STUCK.format(daemon=daemon, status=status))
    assert time.monotonic() - began < LIMIT
    assert (done.returncode, done.stdout, done.stderr) == (status, "played 1.0 s\n", "")


def test_a_process_in_which_nothing_hangs_ends_as_usual() -> None:
    done = python(
        "import atexit; from attacca.process_exit import leave\n"
        "atexit.register(print, 'at the end')\n"
        "raise SystemExit(leave(3))"
    )
    assert (done.returncode, done.stdout) == (3, "at the end\n")


def test_a_thread_that_still_writes_a_file_is_waited_for(tmp_path: Path) -> None:
    program = (
        "import threading, time; from pathlib import Path; from attacca.process_exit import leave\n"
        f"def write(): time.sleep(1.0); Path({str(tmp_path / 'take')!r}).write_text('whole')\n"
        "threading.Thread(target=write, name='attacca-recorder', daemon=True).start()\n"
        "threading.Thread(target=threading.Event().wait, name='attacca-osc', daemon=True).start()\n"
        "raise SystemExit(leave(0))"
    )
    assert python(program).returncode == 0
    assert (tmp_path / "take").read_text() == "whole"


# ---------------------------------------------------------------- real sound servers


def ends_well(
    server: JackServer | PulseServer, device: str, fault: str, ends: list[str], folder: Path
) -> None:
    """Play and record in one process for each end, break the server, then end each within the
    limit.
    """
    with contextlib.ExitStack() as players:
        processes: dict[str, subprocess.Popen[str]] = {}
        timed = [end for end in ends if end == "duration"]  # last, as its time runs at once
        for group in ([end for end in ends if end not in timed], timed):
            for end in group:
                processes[end] = players.enter_context(player(server, device, end, folder))
            for end in group:
                wait_for_take(processes[end], folder / end / "take.flac")
        getattr(server, fault)()
        began = time.monotonic()
        if "duration" in ends:  # at most 4 s are left of it
            processes["duration"].wait(4.0 + LIMIT)
        else:
            time.sleep(2.0 if fault == "kill" else 0.5)
        assert time.monotonic() - began < LIMIT + 4.0
        for end, process in processes.items():
            took = 0.0
            if end != "duration":
                assert process.poll() is None
                process.send_signal(getattr(signal, end))
                began = time.monotonic()
                process.wait(LIMIT + 5)
                took = time.monotonic() - began
            out, err = process.communicate()
            take = folder / end / "take.flac"
            assert (process.returncode, took < LIMIT) == (0, True), (end, took, err)
            assert re.search(r"^played \d+\.\d s, .* seed \d+$", out, re.MULTILINE)
            assert soundfile.info(take).duration > 0.2
            assert len(soundfile.read(take)[0]) == soundfile.info(take).frames


def player(
    server: JackServer | PulseServer, device: str, end: str, folder: Path
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """`attacca play` in a folder named after how it is to end."""
    (folder / end).mkdir()
    how = ["--duration", "4"] if end == "duration" else []
    arguments = ["play", *few(), "--device", device, "--record", "take.flac", *how]
    return running(*arguments, cwd=folder / end, env=environment(**server.env))


def wait_for_take(process: subprocess.Popen[str], take: Path) -> None:
    deadline = time.monotonic() + 30
    while not (take.exists() and take.stat().st_size > 20_000):
        assert process.poll() is None
        assert time.monotonic() < deadline, "it does not play"
        time.sleep(0.05)


@pytest.mark.alone  # timed
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_dead_or_stopped_jack_does_not_hold_up_the_end(
    jack: JackServer, fault: str, tmp_path: Path
) -> None:
    ends_well(jack, "system", fault, ["SIGTERM", "SIGINT", "duration"], tmp_path)


@pytest.mark.alone  # timed
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_dead_or_stopped_pulseaudio_does_not_hold_up_the_end(
    pulse: PulseServer, fault: str, tmp_path: Path
) -> None:
    ends_well(pulse, "pulse", fault, ["SIGTERM"], tmp_path)


@pytest.mark.slow
def test_a_server_that_hangs_from_the_start_can_be_left(jack: JackServer, tmp_path: Path) -> None:
    jack.hang()
    env = environment(**jack.env)
    with (
        running("play", *few(), cwd=tmp_path, env=env) as one,
        running("play", *few(), cwd=tmp_path, env=env) as other,
    ):
        time.sleep(2.5)
        for process, how in ((one, signal.SIGINT), (other, signal.SIGTERM)):
            assert process.poll() is None
            process.send_signal(how)
            began = time.monotonic()
            out, err = process.communicate(timeout=LIMIT + 5)
            assert time.monotonic() - began < LIMIT
            assert process.returncode == 0, err
            assert out == ""
            assert "Traceback" not in err


@pytest.mark.slow
def test_a_server_that_hangs_is_reported_in_one_line(jack: JackServer, tmp_path: Path) -> None:
    jack.hang()
    env = environment(**jack.env)
    verbs = [["devices"], ["play", *few(), "--device", "system"], ["midi"]]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(running(*verb, cwd=tmp_path, env=env)) for verb in verbs]
        for process in processes:
            _, err = process.communicate(timeout=25)
            assert process.returncode == 1
            assert re.match(r"attacca: .*(does not answer|has not answered)", err), err
            assert err.count("\n") == 1


@pytest.mark.slow
def test_python_ends_after_a_close_beside_a_stopped_jack(jack: JackServer, tmp_path: Path) -> None:
    program = f"""
import os, signal, time
from pathlib import Path
from attacca import Instrument
piano = Instrument({str(ROOT / "tests/data/packs/tiny")!r}, latency=1.0)
piano.play("system")
piano.wait_for_sound()
piano.record(Path({str(tmp_path / "take.flac")!r}))
time.sleep(1.0)
os.kill({jack.pid}, signal.SIGSTOP)
began = time.monotonic()
piano.close()
print(f"closed in {{time.monotonic() - began:.2f}} s", flush=True)
"""
    done = subprocess.Popen(
        [sys.executable, "-c", program], env=environment(**jack.env), cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    watchdog = threading.Timer(40, done.kill)
    watchdog.start()
    assert done.stdout is not None
    line = done.stdout.readline()
    began = time.monotonic()
    _, err = done.communicate()
    watchdog.cancel()
    assert done.returncode == 0, err
    assert float(line.split()[2]) < LIMIT
    assert time.monotonic() - began < LIMIT
    assert soundfile.info(tmp_path / "take.flac").duration > 0.5
