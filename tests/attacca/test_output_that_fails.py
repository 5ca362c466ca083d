"""Output that cannot be written: music goes on, the take is whole, commands say it in a line."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import environment, running, terminal

from attacca.terminal.library_output import LibraryOutput
from attacca.terminal.output import LogLines, TolerantStream, TolerantWriter

ATTACCA = [sys.executable, "-W", "error", "-m", "attacca"]
SHORT = ["play", "--device", "none", "--no-osc", "--no-midi", "--steps", "2", "--duration", "1.5"]


def stream_over(fd: int, encoding: str = "utf-8") -> TolerantStream:
    return TolerantStream(io.FileIO(fd, "w", closefd=False), encoding)


@pytest.fixture
def pipe() -> Any:
    """Both ends of a pipe, closed afterwards."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_what_is_flushed_has_been_written_when_flush_returns(pipe: tuple[int, int]) -> None:
    stream = stream_over(pipe[1])
    print("a line", file=stream, flush=True)
    assert os.read(pipe[0], 100) == b"a line\n"


def test_characters_that_cannot_be_encoded_are_replaced(pipe: tuple[int, int]) -> None:
    stream = stream_over(pipe[1], "latin-1")
    print("Käse ● \udcff", file=stream, flush=True)
    assert os.read(pipe[0], 100) == "Käse ? ?\n".encode("latin-1")


def test_a_full_disk_drops_lines_and_counts_them() -> None:
    with Path("/dev/full").open("wb") as full:
        stream = stream_over(full.fileno())
        for _ in range(3):
            print("a line", file=stream, flush=True)
        assert stream.writer.dropped == 3
        assert stream.writer.error is not None
        assert stream.writer.error.strerror == "No space left on device"


def test_a_reader_that_stops_blocks_no_caller_and_gets_the_rest_later(
    pipe: tuple[int, int],
) -> None:
    stream = stream_over(pipe[1])
    began = time.monotonic()
    for _ in range(300):
        print("x" * 999, file=stream, flush=True)
    assert time.monotonic() - began < 2.0
    assert stream.writer.dropped > 0
    os.set_blocking(pipe[0], False)
    text, deadline = b"", time.monotonic() + 10
    while not text.endswith(b"again\n"):
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            text = os.read(pipe[0], 1 << 20)
        if stream.writer._is_idle():
            print("again", file=stream, flush=True)


def test_the_thread_of_a_writer_ends_with_it(pipe: tuple[int, int]) -> None:
    writer = TolerantWriter(io.FileIO(pipe[1], "w", closefd=False))
    writer.write(b"x")
    thread = writer._thread
    assert thread is not None
    writer.finish(1.0)
    thread.join(1.0)
    assert not thread.is_alive()


def test_a_line_of_the_log_that_repeats_is_written_once_in_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = LogLines()
    for at in (0.0, 0.1, 5.0, 10.5, 3.0):  # the clock is set back at the end
        record = logging.LogRecord("x", logging.WARNING, "file", 7, "no room", (), None)
        record.created = at
        lines.handle(record)
    assert capsys.readouterr().err.splitlines() == [
        "attacca: no room", "attacca: no room (and 2 times before)", "attacca: no room",
    ]  # fmt: skip


def slowly(*values: object) -> Any:
    """A case that is much like another."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("redirection", "env", "said"),
    [
        (">/dev/full", {}, "attacca: 3 writes to standard output were lost: No space left"),
        ("<&- >&- 2>&-", {}, ""),
        ("", {"PYTHONIOENCODING": "ascii"}, ""),
        slowly(">/dev/full 2>/dev/full", {}, ""),
        slowly("2>/dev/full", {}, ""),
        slowly("| head -n 1", {}, ""),
        slowly("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ""),
        slowly(">/dev/full", {"PYTHONUNBUFFERED": "1"}, "attacca: 3 writes to standard output"),
    ],
)
def test_the_music_goes_on_and_the_take_is_whole(
    redirection: str, env: dict[str, str], said: str, tmp_path: Path
) -> None:
    take = "Größe.wav"
    script = f'{{ "$@"; echo $? >status; }} {redirection}'
    done = subprocess.run(
        ["bash", "-c", script, "-", *ATTACCA, *SHORT, "--record", take],
        cwd=tmp_path, env=environment(PYTHONUNBUFFERED="") | env, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert (tmp_path / "status").read_text() == "0\n", done.stderr
    sound, rate = soundfile.read(tmp_path / take)
    assert len(sound) / rate > 1.2
    assert np.abs(sound).max() > 0
    assert done.stderr.decode().startswith(said)
    assert done.stderr.count(b"\n") == (1 if said else 0), done.stderr


def test_a_log_that_may_not_grow_further_does_not_end_the_music(tmp_path: Path) -> None:
    import resource
    import signal

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    log = tmp_path / "log"
    with log.open("wb") as out:
        done = subprocess.run(
            [*ATTACCA, *SHORT], cwd=tmp_path, env=environment(), stdout=out,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=limit, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0
    assert b"File too large" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("arguments", [["packs"], ["osc"], ["completion", "bash"], ["--help"]])
def test_a_command_whose_output_cannot_be_written_says_so_in_one_line(
    arguments: list[str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*ATTACCA, *arguments], cwd=tmp_path, env=environment(PYTHONUNBUFFERED=""),
            stdout=full, stderr=subprocess.PIPE, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == b"attacca: output cannot be written: No space left on device\n"


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(redirection: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "-", *ATTACCA, "packs"], cwd=tmp_path,
        env=environment(), capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_that_cannot_be_printed_still_has_its_status(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*ATTACCA, "play", "--steps", "0"], cwd=tmp_path, env=environment(), stderr=full
        )
    assert done.returncode == 2


def test_a_reader_that_leaves_does_not_end_the_music(tmp_path: Path) -> None:
    with running(*SHORT, "--record", "take.wav", cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    sound, rate = soundfile.read(tmp_path / "take.wav")
    assert len(sound) / rate > 1.2


def test_a_terminal_that_is_not_utf_8_shows_what_it_can(tmp_path: Path) -> None:
    env = environment(PYTHONIOENCODING="latin-1")
    arguments = [*SHORT, "--record", "Größe-●.wav"]
    with terminal(*arguments, cwd=tmp_path, env=env) as screen:
        screen.wait_for("-?.wav")
        assert screen.end() == 0
        assert "played 1." in screen.seen


def test_a_terminal_that_is_stopped_holds_neither_the_clock_nor_the_keys_up(
    tmp_path: Path,
) -> None:
    arguments = ["play", *SHORT[1:-2], "--record", "take.wav"]
    with terminal(*arguments, cwd=tmp_path) as screen:
        screen.wait_for("playing")
        screen.type("\x13")  # Ctrl-S
        time.sleep(1.0)
        screen.type("q")
        assert screen.process.wait(20) == 0
    assert soundfile.info(tmp_path / "take.wav").duration > 0.5


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_of_no_known_kind_gets_plain_lines(term: str, tmp_path: Path) -> None:
    with terminal(*SHORT, cwd=tmp_path, more={"TERM": term}) as screen:
        assert screen.end() == 0
        assert "\x1b" not in screen.seen
        assert "playing" in screen.seen


@pytest.mark.parametrize("size", ["0", "1"])
def test_a_terminal_without_a_size_is_no_error(size: str, tmp_path: Path) -> None:
    more = {"COLUMNS": size, "LINES": size}
    with terminal(*SHORT, cwd=tmp_path, more=more) as screen:
        assert screen.end() == 0
        assert "display has failed" not in screen.seen
        assert "played 1." in screen.seen


def test_noise_needs_no_disk_and_no_descriptor(capfd: pytest.CaptureFixture[str]) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())), before[1])
    )
    try:
        spare = []
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.dup(1))
        with LibraryOutput():
            os.write(2, b"not kept\n")
    finally:
        for fd in spare:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert capfd.readouterr().err == "not kept\n"


def test_what_a_child_writes_after_the_view_is_handed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with LibraryOutput():
        child = subprocess.Popen(["sh", "-c", "read line; echo $line >&2"], stdin=subprocess.PIPE)
    child.communicate(b"a late word\n")
    deadline = time.monotonic() + 5
    text = ""
    while "late" not in text and time.monotonic() < deadline:
        text += capfd.readouterr().err
        time.sleep(0.01)
    assert text == "a late word\n"


def test_a_status_display_that_fails_ends_the_display_not_the_music(tmp_path: Path) -> None:
    code = (
        "import sys; from attacca.terminal import displays\n"
        "def broken(self, readout): raise ValueError('no such meter')\n"
        "displays.LineDisplay.show = broken\n"
        "from attacca.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *SHORT], cwd=tmp_path, env=environment(),
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "played 1." in done.stdout
    assert done.stderr.splitlines() == [
        "attacca: the status display failed (ValueError: no such meter); the music keeps playing"
    ]
