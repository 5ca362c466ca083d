"""The engine as a process of its own: begun at a click, taken up, begun again after a crash."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gui.engine_process import EngineProcess
from gui.session import Session

ROOT = Path(__file__).resolve().parents[2]
TINY = str(ROOT / "tests" / "data" / "packs" / "tiny")
PLAY = ["--pack", TINY, "--device", "none", "--latency", "jam"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (OSError, IndexError):
        return False


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def begin(at_home: Path, qapp) -> Iterator[Callable[..., Session]]:
    """Makes sessions; what they started is ended at the end."""
    made: list[Session] = []

    def make(port: int, options: list[str] = PLAY) -> Session:
        session = Session("127.0.0.1", port, EngineProcess(options, port, at_home))
        made.append(session)
        session.begin()
        return session

    yield make
    for session in made:
        pid = session.engine.pid
        session.quit(leave=True)
        if pid is not None and lives(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_the_engine_is_the_programs_own_in_a_folder_with_modules_of_the_same_names(
    begin, until, tmp_path, monkeypatch
):
    folder = tmp_path / "hostile"
    (folder / "attacca").mkdir(parents=True)
    for name in ("random.py", "json.py", "attacca/__init__.py", "engine.py", "osc.py"):
        (folder / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})")
    monkeypatch.chdir(folder)
    session = begin(free_port())
    session.play()
    until(lambda: session.transport.is_playing, 30)
    assert not (tmp_path / "ran").exists()


def test_one_click_plays_a_killed_engine_comes_back_with_its_controls_and_quit_ends_it(
    begin, until
):
    session = begin(free_port())
    assert session.state == "idle"
    session.play()
    assert session.state == "starting"
    until(lambda: session.transport.is_playing, 30)
    session.controls["gain"].set(-9.0)
    session.controls["temperature"].set(0.8)
    until(lambda: not any(c.is_busy for c in session.controls))
    first = session.engine.pid

    os.kill(first, signal.SIGKILL)
    until(lambda: session.state != "playing", 10)
    assert "gone" in session.log.lines[-1].text or "ended" in session.log.lines[-1].text
    until(lambda: session.state == "playing" and session.controls["gain"].value == -9.0, 30)
    until(lambda: session.controls["temperature"].value == 0.8)
    second = session.engine.pid
    assert second != first

    ended = []
    session.ended.connect(lambda: ended.append(True))
    session.quit(leave=False)
    until(lambda: ended, 15)
    assert not lives(second)
    assert "played" in session.engine.log.read_text(), "it ended by itself, with its last line"


def test_an_engine_left_playing_outlives_its_window_and_the_next_takes_it_up_and_ends_it(
    begin, until
):
    port = free_port()
    first = begin(port)
    first.play()
    until(lambda: first.transport.is_playing, 30)
    pid = first.engine.pid
    done = []
    first.ended.connect(lambda: done.append(True))
    first.quit(leave=True)
    until(lambda: done)
    assert lives(pid)
    assert os.getsid(pid) != os.getsid(0), "a session of its own: a closed terminal is not heard"

    second = begin(port)
    until(lambda: second.transport.is_playing, 10)
    assert second.engine.pid is None, "it was taken up, not started"
    second.stop()
    until(lambda: not lives(pid), 15)
    until(lambda: second.state == "idle", 15)


def test_without_a_sound_device_it_plays_at_a_click_and_warns_of_silence(
    begin, at_home, monkeypatch, until
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(at_home))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{at_home}/nobody")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody")
    session = begin(free_port(), [*PLAY[:2], "--latency", "jam"])
    session.play()
    until(lambda: session.is_unheard and session.transport.is_playing, 30)
    until(lambda: session.meters.peak[0] > -90, 20)
    assert "no sound output device" in session.engine.log.read_text()


def test_an_engine_that_cannot_start_says_why_in_one_line(begin, until):
    session = begin(free_port(), ["--pack", "no such pack", "--device", "none"])
    session.play()
    until(lambda: session.state == "failed", 30)
    assert "'no such pack' is not installed" in session.state_text
    assert "\n" not in session.state_text
    assert not session.engine.is_alive


def test_what_was_remembered_and_is_gone_is_left_out(begin, until):
    session = begin(free_port(), [*PLAY[2:], "--pack", "a pack that was removed"])
    session.engine.fallback = list(PLAY)
    session.play()
    until(lambda: session.transport.is_playing, 40)
    assert session.engine.options == PLAY


def test_an_engine_that_dies_again_and_again_is_not_started_again(begin, at_home, until):
    session = begin(free_port())
    session.play()
    until(lambda: session.transport.is_playing, 30)
    session.engine._command = (sys.executable, "-c", "raise SystemExit('attacca: out of luck')")
    os.kill(session.engine.pid, signal.SIGKILL)
    until(lambda: session.state == "failed", 30)
    assert session.state_text == "out of luck"
    assert sum("out of luck" in line.text for line in session.log.lines) == 3


def test_the_log_keeps_the_words_of_each_engine_apart(at_home, qtbot):
    say = (sys.executable, "-c", "import sys; print('attacca: said', sys.argv[-1])")
    process = EngineProcess(["one"], 9, at_home, command=say)
    with qtbot.waitSignal(process.died, timeout=10_000) as died:
        assert process.start() == ""
    assert died.args == ["said one"]
    process.options = ["two"]
    with qtbot.waitSignal(process.died, timeout=10_000) as died:
        process.start()
    assert died.args == ["said two"]
    assert process.log.read_text().count("said") == 2


def test_a_missing_program_is_reported(at_home, qapp):
    process = EngineProcess([], 9, at_home, command=("/no/such/python",))
    assert process.start() == "the engine cannot be started: /no/such/python: " + os.strerror(2)
    assert not process.is_alive


def test_a_stubborn_engine_is_killed_in_the_end(at_home, until, qtbot):
    stay = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('on', flush=True); time.sleep(60)"
    )
    process = EngineProcess([], 9, at_home, command=(sys.executable, "-c", stay))
    process.start()
    until(lambda: process.last_words() == "on")
    began = time.monotonic()
    with qtbot.waitSignal(process.ended, timeout=20_000):
        process.end()
    assert time.monotonic() - began > 3.0
