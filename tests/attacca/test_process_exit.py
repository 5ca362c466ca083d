"""The end of the program, whatever the sound system does: within 3 s, with the take closed."""

from __future__ import annotations

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
    server: JackServer | PulseServer, device: str, fault: str, end: str, folder: Path
) -> None:
    """Play and record, break the server, then end it, within the limit."""
    take = folder / "take.flac"
    how = ["--duration", "4"] if end == "duration" else []
    arguments = ["play", *few(), "--device", device, "--record", "take.flac", *how]
    with running(*arguments, cwd=folder, env=environment(**server.env)) as process:
        deadline = time.monotonic() + 30
        while not (take.exists() and take.stat().st_size > 20_000):
            assert process.poll() is None
            assert time.monotonic() < deadline, "it does not play"
            time.sleep(0.05)
        getattr(server, fault)()
        began = time.monotonic()
        if end == "duration":  # at most 4 s are left of it
            process.wait(4.0 + LIMIT)
        else:
            time.sleep(2.0 if fault == "kill" else 0.5)
            process.send_signal(getattr(signal, end))
            began = time.monotonic()
            process.wait(LIMIT + 5)
        took = time.monotonic() - began
        out, err = process.communicate()
    print(f"{device} {fault} {end}: {took:.2f} s")
    assert process.returncode == 0, err
    assert took < LIMIT + (4.0 if end == "duration" else 0.0)
    assert re.search(r"^played \d+\.\d s, .* seed \d+$", out, re.MULTILINE)
    assert soundfile.info(take).duration > 0.2
    assert len(soundfile.read(take)[0]) == soundfile.info(take).frames


@pytest.mark.slow
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "duration"])
@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_dead_or_stopped_jack_does_not_hold_up_the_end(
    jack: JackServer, fault: str, end: str, tmp_path: Path
) -> None:
    ends_well(jack, "system", fault, end, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_dead_or_stopped_pulseaudio_does_not_hold_up_the_end(
    pulse: PulseServer, fault: str, tmp_path: Path
) -> None:
    ends_well(pulse, "pulse", fault, "SIGTERM", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_hangs_from_the_start_can_be_left(
    jack: JackServer, how: signal.Signals, tmp_path: Path
) -> None:
    jack.hang()
    with running("play", *few(), cwd=tmp_path, env=environment(**jack.env)) as process:
        time.sleep(2.5)
        assert process.poll() is None
        process.send_signal(how)
        began = time.monotonic()
        out, err = process.communicate(timeout=LIMIT + 5)
    assert time.monotonic() - began < LIMIT
    assert process.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["devices", "play", "midi"])
def test_a_server_that_hangs_is_reported_in_one_line(
    jack: JackServer, verb: str, tmp_path: Path
) -> None:
    jack.hang()
    options = few() if verb == "play" else []
    device = ["--device", "system"] if verb == "play" else []
    with running(verb, *options, *device, cwd=tmp_path, env=environment(**jack.env)) as process:
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
