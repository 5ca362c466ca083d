"""A stream whose generator is killed has the same samples and notes as one whose generator is not.

Time is virtual: it passes only while the feeder has nothing to do, so that what is set between two
blocks reaches the same block in each run.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from control_tables import shipped_settings
from tiny_pack import TINY
from virtual_clock import VirtualClock

from engine.notes.note import Note
from engine.packs.plan import make_plan
from engine.packs.read import read_manifest
from engine.stream.feeder import Feeder
from engine.stream.generator import Generator
from engine.stream.governor import Governor
from engine.stream.lead import Lead

PIANO = Path(__file__).parents[3] / "packs" / "piano"
PHRASE = (Note(60, 90, 0.1, 0.6), Note(67, 101, 0.731, 1.3), Note(76, 60, 1.415, 1.9))
ANSWERED = tuple(Note(50 + 3 * i, 80, 0.25 * i, 0.25 * i + 0.3) for i in range(8))


class Mortal(Generator):
    """Its process is killed just before some of its calls: (name, how often it was called).

    Calls that bring a new process to the state of the old one count like others.
    """

    def __init__(self, pack: Path, deaths: tuple[tuple[str, int], ...]) -> None:
        super().__init__(pack, patience=50.0)
        self._deaths, self._calls = list(deaths), {"make": 0, "state": 0, "phrase": 0}

    def _request(self, head, arrays=None):
        name = head["op"]
        if name in self._calls:
            if (name, self._calls[name]) in self._deaths:
                self._deaths.remove((name, self._calls[name]))
                os.kill(self.pid, signal.SIGKILL)
                self._process.wait()
            self._calls[name] += 1
        return super()._request(head, arrays)


@dataclass
class Run:
    """What was pulled from the lead, which notes were due when, and how often it restarted."""

    samples: np.ndarray
    notes: list = field(default_factory=list)
    restarts: int = 0


def play(pack, periods, deaths=(), *, phrase=(), past=None, actions=None, **controls) -> Run:
    """Pull so many quarters of a block; `actions` are called with the feeder before some."""
    manifest = read_manifest(pack)
    plan, clock, due = make_plan(manifest), VirtualClock(), []
    seconds = plan.block_samples / manifest.rate
    lead = Lead(manifest.rate, manifest.channels, clock=clock, on_notes=due.append)
    feeder = Feeder(
        Mortal(pack, deaths), lead, Governor(seconds, 1, active=False), plan=plan,
        target_lead=0.5 * seconds, settings=shipped_settings(**controls), on_event=lambda *_: None,
        on_problem=lambda *_: None, on_refused=lambda *_: None, clock=clock,
    )  # fmt: skip
    feeder.start(past, phrase)
    pulled = []
    try:
        for period in range(periods):
            if actions and period in actions:
                actions[period](feeder)
            clock.sleep(1.0)
            assert feeder.failure is None
            pulled.append(lead.pull(plan.block_samples // 4))
        assert lead.stats().gaps == 0
        return Run(np.concatenate(pulled), due, feeder.stats().restarts)
    finally:
        feeder.stop()


def check_same(run: Run, reference: Run, deaths: int) -> None:
    assert (run.restarts, reference.restarts) == (deaths, 0)
    np.testing.assert_array_equal(run.samples, reference.samples)
    assert run.notes == reference.notes


# ---------------------------------------------------------------- the tests' small pack

TINY_PERIODS = 4 * 50  # more than five seconds: several keyframes


@pytest.fixture(scope="module")
def tiny() -> Run:
    return play(TINY, TINY_PERIODS, steps=2, stride=0.5)


@pytest.mark.parametrize(
    "deaths",
    [
        (("make", 0),), (("make", 30),), (("state", 0),), (("state", 30),),
        (("make", 20), ("make", 21), ("state", 1)),
    ],
    ids=str,
)  # fmt: skip
def test_a_killed_generator_is_restored_to_the_bit(tiny, deaths):
    check_same(play(TINY, TINY_PERIODS, deaths, steps=2, stride=0.5), tiny, len(deaths))


def test_the_first_samples_depend_on_all_that_is_restored(tiny):
    """So that the test above can fail: another seed from a later block on changes what follows."""
    later = {TINY_PERIODS // 2: lambda f: f.set(shipped_settings(steps=2, stride=0.5, seed=7))}
    other = play(TINY, TINY_PERIODS, steps=2, stride=0.5, actions=later)
    half = len(tiny.samples) // 2
    np.testing.assert_array_equal(other.samples[: half - 512], tiny.samples[: half - 512])
    assert not np.array_equal(other.samples[half + 2048 :], tiny.samples[half + 2048 :])


def test_what_continues_a_recording_is_restored_with_it():
    past = 0.1 * np.random.default_rng(1).standard_normal((4000, 1)).astype(np.float32)
    reference = play(TINY, 40, past=past, steps=2)
    check_same(play(TINY, 40, (("make", 3),), past=past, steps=2), reference, 1)


# ------------------------------------------------- the shipped pack, phrases and held keys

PIANO_PERIODS = 4 * 8
ACTIONS = {
    14: lambda feeder: feeder.set(shipped_settings(steps=4, held=(60, 64))),
    18: lambda feeder: feeder.phrase(ANSWERED, played=False),
    22: lambda feeder: feeder.set(shipped_settings(steps=4)),
}


@pytest.fixture(scope="module")
def piano() -> Run:
    run = play(PIANO, PIANO_PERIODS, phrase=PHRASE, actions=ACTIONS, steps=4)
    pitches = [n.pitch for notes in run.notes for n in notes if n.velocity]
    assert pitches[:3] == [60, 67, 76], "the phrase is played"
    assert 64 in pitches[3:], "the held keys are struck"
    return run


@pytest.mark.parametrize(
    "deaths",
    [
        (("phrase", 0), ("make", 1)),  # before the phrase, within it
        (("make", 5), ("phrase", 1), ("make", 9)),  # keys held, before an answer, after it
    ],
    ids=str,
)
def test_phrases_held_keys_and_notes_are_restored_to_the_bit(piano, deaths):
    run = play(PIANO, PIANO_PERIODS, deaths, phrase=PHRASE, actions=ACTIONS, steps=4)
    check_same(run, piano, len(deaths))
