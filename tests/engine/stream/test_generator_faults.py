"""A generator that is stopped, killed, or whose networks fail, in real processes while it plays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from control_tables import engine_settings
from onnx_by_hand import pack_without_numbers

from engine.errors import AttaccaError, PackError
from engine.execution.executor import make_executor
from engine.instrument import Instrument
from engine.notes.note import Note
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stages.request import Request
from engine.stream.feeder import Feeder
from engine.stream.generator import Block, Generator, GeneratorDied
from engine.stream.governor import Governor
from engine.stream.lead import Lead
from engine.stream.requests import make_request
from engine.stream.walk import PlanWalk

TINY = Path(__file__).parents[2] / "data" / "packs" / "tiny"
PLAN = make_plan(read_manifest(TINY))


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen in time")


@pytest.fixture
def playing() -> Iterator[Instrument]:
    """With a lead of more than a process takes to start on a slow machine."""
    with Instrument(TINY, latency=4.0, threads=1) as instrument:
        instrument.play(device=None)
        instrument.wait_for_sound()
        wait_until(lambda: instrument.status().lead.seconds >= instrument.latencies().lead)
        yield instrument


@pytest.fixture
def generator() -> Iterator[Generator]:
    process = Generator(TINY)
    process.start()
    for index in range(2):
        process.make(make_request(PLAN, index, steps=2))
    yield process
    process.stop()


@pytest.mark.sound  # timed: a busy machine takes longer to start a process
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_generator_that_hangs_or_dies_is_replaced_before_the_lead_is_gone(playing, how):
    before = playing.status()
    os.kill(playing.generator_pid, how)
    wait_until(lambda: playing.status().stream.restarts == 1)
    wait_until(lambda: playing.status().stream.blocks > before.stream.blocks + 3)
    after = playing.status()
    assert (after.lead.gaps, after.lead.concealed_seconds) == (0, 0.0)
    assert after.stream.restarts == 1
    (event,) = [e for e in playing.events if e.kind == "restarted"]
    assert ("hangs" in event.text) == (how == signal.SIGSTOP)


def test_a_stopped_generator_is_noticed_by_the_time_of_its_own_steps(generator):
    os.kill(generator.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(GeneratorDied, match=r"hangs: no sign of life for 0\.\d s \(answer\)"):
        generator.make(make_request(PLAN, 2, steps=2))
    took = time.monotonic() - began
    assert 0.4 < took < 3.0
    assert generator.pid is None, "it is killed at once"


def test_every_part_of_a_block_has_been_measured_once_a_block_was_made(generator):
    beats = generator._heartbeat
    parts = {"answer", "context spectrogram", "step spectrogram", "decode"}
    assert {p: beats.limit(p) for p in parts if beats.limit(p) > 5} == {}


def test_a_stopped_generator_takes_no_sound_and_blocks_no_caller(generator):
    os.kill(generator.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(GeneratorDied):
        generator.continue_from(np.zeros((2_000_000, 1), np.float32))  # more than a pipe holds
    assert time.monotonic() - began < 12


def test_work_that_takes_long_is_no_hang(generator):
    """Many steps take much longer than the limit of one."""
    began = time.monotonic()
    steps = 200
    while time.monotonic() - began < 1.5:
        assert generator.make(make_request(PLAN, 5, steps=steps)).evaluations == steps


def test_a_stopped_program_does_not_take_its_generator_for_hung(tmp_path):
    """SIGSTOP and SIGCONT of the engine: Ctrl-Z, a debugger, a machine that sleeps."""
    code = f"""
import sys, time
from engine.instrument import Instrument
with Instrument({str(TINY)!r}, threads=1) as i:
    i.play(None)
    i.wait_for_sound()
    print("playing", flush=True)
    sys.stdin.readline()
    time.sleep(1.0)
    print(i.status().stream.restarts, [e.text for e in i.events if e.kind == "restarted"])
"""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n"
        for _ in range(3):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(1.2)
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.3)
        assert process.communicate("\n", timeout=30)[0] == "0 []\n"
    finally:
        process.kill()
        process.wait()


# ---- networks that fail


def test_a_pack_whose_network_answers_no_numbers_is_reported_at_once(tmp_path):
    with Instrument(pack_without_numbers(tmp_path), threads=1, latency=1.0) as instrument:
        instrument.play(None)
        instrument.wait_for_sound()
        wait_until(lambda: any(e.kind == "error" for e in instrument.events))
        (event,) = [e for e in instrument.events if e.kind == "error"]
        assert event.text.startswith(
            "pack 'tiny': stage 'spectrogram' answers values that are not "
        )
        assert "attacca packs tiny --test" in event.text
        assert "\n" not in event.text
        wait_until(lambda: instrument.status().stream.faults > 3)
        assert instrument.status().problem == event.text
        assert len([e for e in instrument.events if e.kind == "error"]) == 1, "once in a while"


def test_a_graph_that_fails_names_its_file_in_one_line():
    (stage,) = PlanWalk(read_manifest(TINY), make_executor()).diffusion.values()
    with pytest.raises(PackError, match=r"step\.onnx: the graph fails \(") as caught:
        stage.graphs.main.run({"nonsense": np.zeros(3)}, ["x0"])
    assert "\n" not in str(caught.value)


# ---- the feeder, with a scripted generator


class Scripted(Generator):
    """Answers with blocks of silence; raises what the test puts in."""

    def __init__(self) -> None:
        super().__init__(TINY)
        self.raises: list[Exception] = []  # by the next blocks
        self.faults: tuple[str, ...] = ()
        self.phrase_raises: Exception | None = None
        self.phrases = self.starts = 0

    def start(self) -> None:
        self.starts += 1

    def stop(self) -> None:
        pass

    def state(self):
        return {}

    def restore(self, state) -> None:
        pass

    def phrase(self, notes, *, played) -> int:
        self.phrases += 1
        if self.phrase_raises is not None:
            raise self.phrase_raises
        return 0

    def make(self, request: Request) -> Block:
        if self.raises:
            raise self.raises.pop(0)
        samples = np.zeros((80, 1), np.float32)
        return Block(samples, request.index, 1, 0, 0.001, 0, request, (), self.faults)


class Fed:
    """A feeder at work, its lead played as fast as blocks arrive."""

    def __init__(self, generator: Scripted) -> None:
        from engine.time.clock import SystemClock

        self.said: list[tuple[str, str]] = []
        self.troubles: list[tuple[str, str, float]] = []
        self.lead = Lead(8000, 1, clock=SystemClock())
        self.feeder = Feeder(
            generator, self.lead, Governor(0.01, 1, active=False), plan=PLAN, target_lead=0.02,
            settings=engine_settings(), on_event=lambda *a: self.said.append(a),
            on_problem=lambda *a: self.troubles.append(a), on_refused=lambda *_: None,
            clock=SystemClock(),
        )  # fmt: skip

    def blocks(self, count: int) -> None:
        """Play until so many more blocks have arrived, or the stream has ended."""
        target = self.feeder.stats().blocks + count

        def there() -> bool:
            self.lead.pull(80)
            return self.feeder.stats().blocks >= target or self.feeder.failure is not None

        wait_until(there, 5)


@pytest.fixture
def fed() -> Iterator[tuple[Scripted, Fed]]:
    generator = Scripted()
    stream = Fed(generator)
    stream.feeder.start()
    yield generator, stream
    stream.feeder.stop()


def test_a_graph_that_fails_once_costs_a_restart_not_the_music(fed):
    generator, stream = fed
    stream.blocks(2)
    generator.raises = [PackError("step.onnx: the graph fails (out of memory)")]
    stream.blocks(4)
    assert stream.feeder.failure is None
    assert generator.starts == 2
    (said,) = [text for kind, text in stream.said if kind == "restarted"]
    assert "out of memory" in said


def test_a_graph_that_fails_always_ends_the_stream_with_its_own_words(fed):
    generator, stream = fed
    stream.blocks(2)
    generator.raises = [PackError("step.onnx: the graph fails (broken)")] * 20
    stream.blocks(4)
    assert str(stream.feeder.failure) == "step.onnx: the graph fails (broken)"
    assert [kind for kind, _ in stream.said] == ["restarted"] * 5 + ["failed"]


def test_a_graph_that_fails_from_the_first_block_on_is_refused_at_once():
    generator = Scripted()
    generator.raises = [PackError("step.onnx: the graph fails (broken)")] * 20
    stream = Fed(generator)
    stream.feeder.start()
    wait_until(lambda: stream.feeder.failure is not None, 5)
    assert generator.starts == 1
    stream.feeder.stop()


@pytest.mark.parametrize("error", [AttaccaError("no such phrase"), GeneratorDied("crashed")])
def test_a_phrase_that_cannot_be_played_is_refused_and_the_music_goes_on(fed, error):
    generator, stream = fed
    stream.blocks(2)
    generator.phrase_raises = error
    stream.feeder.phrase([Note(60, 80, 0.0, 1.0)], played=True)
    stream.blocks(4)
    assert stream.feeder.failure is None
    assert [kind for kind, _ in stream.said].count("refused") == 1
    assert generator.phrases == (1 if isinstance(error, AttaccaError) else 2)


def test_blocks_of_no_numbers_are_counted_and_reported(fed):
    generator, stream = fed
    stream.blocks(2)
    assert stream.feeder.stats().faults == 0
    generator.faults = ("stage 'sound' answers values that are not finite numbers",)
    stream.blocks(4)
    assert stream.feeder.stats().faults >= 4
    kind, text, lasts = stream.troubles[0]
    assert (kind, text) == ("network", generator.faults[0])
    assert lasts > 2
