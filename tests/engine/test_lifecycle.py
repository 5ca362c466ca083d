"""What starts and ends an instrument: in every order, from any thread, from another process."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from tiny_pack import TINY

from engine.audio.mixer import Mixer
from engine.errors import ConfigError
from engine.instrument import Instrument

ROOT = Path(__file__).parents[2]
BUSY = r"^{}: this instrument is already playing; close\(\) it, or create another one$"


def gone(pid, seconds=5.0):
    """Whether a process ends in time; one that has ended and was not waited for counts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def run_program(text, timeout=30.0):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINY": str(TINY)},
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


@pytest.fixture
def playing():
    with Instrument(TINY, latency=1.0, threads=1) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        yield instrument


@pytest.mark.parametrize("start", ["play", "render", "blocks"])
def test_starting_again_while_it_plays_is_refused_and_the_music_goes_on(playing, start):
    pid = playing.generator_pid
    starts = {
        "play": lambda: playing.play(None),
        "render": lambda: playing.render(seconds=1.0),
        "blocks": playing.blocks,
    }
    with pytest.raises(ConfigError, match=BUSY.format(start)):
        starts[start]()
    assert playing.generator_pid == pid
    blocks = playing.status().stream.blocks
    time.sleep(0.5)
    assert playing.status().stream.blocks > blocks


def test_an_instrument_plays_again_after_it_was_closed(playing):
    first = playing.generator_pid
    playing.close()
    assert gone(first)
    playing.play(None)
    playing.wait_for_sound()
    assert playing.generator_pid not in (None, first)


def test_starting_from_within_a_render_is_refused():
    instrument, errors = Instrument(TINY), []

    def progress(_):
        try:
            instrument.play(None)
        except ConfigError as error:
            errors.append(str(error))
        return False

    instrument.render(seconds=5.0, progress=progress)
    assert len(errors) == 1
    assert "already playing" in errors[0]


def test_closing_from_within_a_render_ends_it_in_one_line():
    instrument = Instrument(TINY)
    with pytest.raises(ConfigError, match=r"^render: the instrument was closed in the meantime$"):
        instrument.render(seconds=5.0, progress=lambda _: instrument.close())
    assert instrument.generator_pid is None


def test_after_it_was_closed_everything_answers_or_says_that_nothing_plays():
    instrument = Instrument(TINY)
    instrument.play(None)
    instrument.close()
    instrument.close()
    for call in (
        instrument.status,
        instrument.wait_for_sound,
        lambda: instrument.move(None),
        lambda: instrument.load(TINY),
        lambda: instrument.record("a.flac"),
        lambda: instrument.answer([(60, 90, 0, 1)]),
    ):
        with pytest.raises(ConfigError, match="nothing is playing"):
            call()
    instrument.set(gain=-6)
    instrument.hold([])
    instrument.panic()
    instrument.reset_xruns()
    assert instrument.latencies().total > 0
    assert instrument.horizon() == (0.0, 0.0)


def test_an_exception_within_the_with_statement_ends_the_generator():
    pids = []

    def program():
        with Instrument(TINY) as instrument:
            instrument.play(None)
            pids.append(instrument.generator_pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    assert gone(pids[0])


def test_an_interruption_while_it_starts_leaves_nothing_running(monkeypatch):
    instrument = Instrument(TINY)

    def interrupted(mixer):
        pids.append(instrument.generator_pid)
        raise KeyboardInterrupt

    pids = []
    monkeypatch.setattr(Mixer, "run_live", interrupted)
    with pytest.raises(KeyboardInterrupt):
        instrument.play(None)
    assert gone(pids[0])


def test_many_threads_that_start_at_once_start_one_and_all_others_are_refused():
    instrument, told = Instrument(TINY), []

    def start():
        try:
            instrument.play(None)
            told.append("")
        except ConfigError as error:
            told.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("") == 1
    assert all("another thread is starting" in t or "already playing" in t for t in told if t)
    instrument.close()


def test_threads_that_do_everything_at_once_end_no_music(playing):
    errors, end = [], time.monotonic() + 2.0

    def work(call):
        while time.monotonic() < end:
            try:
                call()
            except Exception as error:
                errors.append(error)

    calls = [
        playing.status, playing.latencies, lambda: playing.set(gain=-6), lambda: playing.hold([]),
        lambda: playing.listen(lambda _: None)(), lambda: playing.tap(lambda _: None)(),
        lambda: playing.listen_blocks(lambda _: None)(), lambda: playing.publish_event("a", "b"),
    ]  # fmt: skip
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert playing.status().listener_errors == 0
    assert not playing.status().failed


@pytest.mark.parametrize("what", ["play(None)", "blocks().__next__()"])
@pytest.mark.skipif(os.name != "posix", reason="looks at /proc")
def test_a_program_that_ends_without_closing_neither_hangs_nor_leaves_its_generator(what):
    done = run_program(
        f"""
        import os, time
        from attacca import Instrument
        piano = Instrument(os.environ["TINY"])
        piano.{what}
        time.sleep(0.3)
        print(piano.generator_pid or 0)
        """
    )
    assert done.returncode == 0, done.stderr
    assert gone(int(done.stdout))


@pytest.mark.skipif(os.name != "posix", reason="looks at /proc")
def test_a_program_that_keeps_its_blocks_ends_their_generator():
    done = run_program(
        """
        import os
        from attacca import Instrument
        piano = Instrument(os.environ["TINY"])
        blocks = piano.blocks()
        next(blocks)
        print(piano.generator_pid)
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert gone(int(done.stdout))


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_a_program_that_is_killed_leaves_no_generator():
    program = subprocess.Popen(
        [
            sys.executable, "-c",
            "import os, time; from attacca import Instrument; p = Instrument(os.environ['TINY']);"
            "p.play(None); print(p.generator_pid, flush=True); time.sleep(60)",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINY": str(TINY)}, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with program:
        pid = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
    assert gone(pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_says_that_the_music_is_its_parents_and_leaves_it_alone():
    done = run_program(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, in 3.12
        from attacca import ConfigError, Instrument
        with Instrument(os.environ["TINY"]) as piano:
            piano.play(None)
            piano.wait_for_sound()
            child = os.fork()
            if not child:
                for call in (lambda: piano.play(None), lambda: piano.move(None), piano.blocks):
                    try:
                        call()
                    except ConfigError as error:
                        print(error, flush=True)
                piano.close()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            blocks = piano.status().stream.blocks
            while piano.status().stream.blocks < blocks + 2:
                assert not piano.status().failed
            assert piano.status().stream.restarts == 0
        print("played on")
        """
    )
    assert done.returncode == 0, done.stderr
    *refused, last = done.stdout.splitlines()
    assert last == "played on"
    assert len(refused) == 3
    assert all("plays in the parent process" in line for line in refused)
