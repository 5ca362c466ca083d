"""What is inherited stays: ignored signals, a shell's control of jobs, settings of a terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile
from command_line import Terminal, environment, running

from attacca.terminal.keys import PosixKeys
from attacca.terminal.stopping import Stopping, is_ignored

# Makes the terminal on standard input the controlling one, then becomes another program.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
FEW = ["play", "--device", "none", "--no-osc", "--no-midi", "--steps", "2"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_an_ignored_signal_stays_ignored_and_others_end_it(name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert is_ignored(name)
        with Stopping() as stopping:
            os.kill(os.getpid(), number)
            assert not stopping.asked
            os.kill(os.getpid(), signal.SIGHUP if name != "SIGHUP" else signal.SIGTERM)
            assert stopping.asked
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_under_nohup_a_hangup_does_not_end_the_music(tmp_path: Path) -> None:
    take = ["--record", "take.wav"]
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "attacca", *FEW, "--duration", "3", *take],
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "playing" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert re.search(r"played 3\.\d s", out)
    assert soundfile.info(tmp_path / "take.wav").duration > 2.5


def test_without_nohup_a_hangup_ends_it_well(tmp_path: Path) -> None:
    with running(*FEW, "--record", "take.wav", cwd=tmp_path) as process:
        assert process.stdout is not None
        while "playing" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "played" in out
    assert soundfile.info(tmp_path / "take.wav").duration > 0


@pytest.mark.parametrize("outlives", [True, False])
def test_a_terminal_that_closes_ends_the_music_unless_hangups_are_ignored(
    outlives: bool, tmp_path: Path
) -> None:
    """`trap '' HUP; attacca play` in a terminal window that is closed later."""
    hangup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN);" if outlives else ""
    near, far = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", hangup + IN_TERMINAL, sys.executable, "-m", "attacca", *FEW,
         "--duration", "4", "--record", "take.wav"],
        cwd=tmp_path, env=environment(TERM="xterm"), stdin=far, stdout=far, stderr=far,
        start_new_session=True,
    )  # fmt: skip
    os.close(far)
    seen = b""
    while b"playing" not in seen:
        seen += os.read(near, 65536)
    os.close(near)
    assert process.wait(30) == 0
    duration = soundfile.info(tmp_path / "take.wav").duration
    assert (duration > 3.5) is outlives


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_in_the_background_it_plays_on_and_leaves_the_terminal_to_the_shell(
    tmp_path: Path,
) -> None:
    """Ctrl-Z, `bg`, typing to the shell, `fg`: the system stops a job that reads or sets it."""
    near, far = os.openpty()
    bash = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "bash", "--norc", "--noediting", "-i"],
        cwd=tmp_path, env=environment(TERM="xterm", COLUMNS="100", LINES="30", PS1="$ "),
        stdin=far, stdout=far, stderr=far, start_new_session=True,
    )  # fmt: skip
    os.close(far)
    shell = Terminal(bash, near)
    try:
        shell.type(shlex.join([sys.executable, "-m", "attacca", *FEW, "--duration", "60"]) + "\n")
        shell.wait_for("playing")
        shell.type("\x1a")
        shell.wait_for("Stopped")
        shell.type("bg\n")
        time.sleep(1.0)
        shell.type("jobs\n")
        shell.wait_for("Running")
        shell.type("echo qqq\n")  # q would end it
        shell.wait_for("\nqqq")
        shell.type("jobs\n")
        shell.wait_for("Running")
        shell.type("fg\n")
        shell.wait_for("playing")
        shell.type(" ")
        shell.wait_for("paused")
        shell.type("q")
        shell.wait_for("played")
        shell.type("exit\n")
        assert bash.wait(10) == 0
    finally:
        os.close(near)  # hangs up, which ends the shell and its jobs
        bash.wait(20)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_settings_are_neither_read_nor_restored_where_the_terminal_is_gone() -> None:
    near, far = os.openpty()
    os.close(near)
    with PosixKeys(far) as keys, pytest.raises(EOFError):
        keys.poll(0.1)
    os.close(far)


def test_a_script_that_starts_it_in_the_background_can_still_end_it(tmp_path: Path) -> None:
    """A shell without job control has its background jobs ignore Ctrl-C, but not SIGTERM."""
    script = '"$@" & echo $!; wait $!; echo status $?'
    process = subprocess.Popen(
        ["sh", "-c", script, "-", sys.executable, "-m", "attacca", *FEW], cwd=tmp_path,
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    guard = threading.Timer(40, os.kill, (pid, signal.SIGKILL))
    guard.start()
    while "playing" not in process.stdout.readline():
        assert process.poll() is None
    os.kill(pid, signal.SIGINT)
    time.sleep(1.0)
    assert state_of(pid) != "Z"
    os.kill(pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    guard.cancel()
    assert "status 0" in out
