"""The beat: positions and times, taps, what is followed, and what the controls show of it."""

from __future__ import annotations

import pytest
from bare_controls import TempoDesk
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, MissingExtra
from engine.time.timeline import Timeline

timelines = st.builds(
    Timeline,
    beat=st.floats(-1e4, 1e4),
    at=st.floats(0, 1e5),
    bpm=st.floats(20, 300),
    quantum=st.integers(1, 16),
)
moments = st.floats(0, 1e5)


@given(timelines, moments)
def test_the_time_of_a_beat_is_when_it_is_that_beat(timeline, when):
    assert timeline.time_of(timeline.beat_at(when)) == pytest.approx(when, abs=1e-5)


@given(timelines, moments)
def test_the_next_bar_is_a_downbeat_less_than_a_bar_ahead(timeline, now):
    left = timeline.seconds_until("bar", now)
    assert 0 <= left <= timeline.quantum * 60 / timeline.bpm + 1e-5
    phase = timeline.phase(now + left)
    assert min(phase, timeline.quantum - phase) < 1e-4
    assert timeline.seconds_until("beat", now) <= left + 1e-5
    assert timeline.seconds_until("beat", now) <= 60 / timeline.bpm + 1e-5
    assert timeline.seconds_until("off", now) == 0


@given(timelines, moments, st.floats(20, 300))
def test_a_turned_tempo_leaves_the_position_where_it_is(timeline, now, bpm):
    turned = timeline.with_tempo(bpm, now)
    assert turned.beat_at(now) == pytest.approx(timeline.beat_at(now), abs=1e-6)
    assert turned.bpm == bpm


@given(timelines, moments)
def test_a_phase_is_never_a_whole_bar(timeline, now):
    assert 0 <= timeline.phase(now) < timeline.quantum


def test_a_tiny_step_before_the_beat_is_in_the_bar_before_or_on_it():
    assert Timeline(-1e-18, 0.0, 60.0, 4).phase(0.0) == 0.0


class Desk(TempoDesk):
    """With a clock that the test turns."""

    def __init__(self, **controls) -> None:
        self.time = 100.0
        super().__init__(lambda: self.time, **controls)


class Session:
    """A source of the beat that a test moves; `master` takes no tempo from us."""

    def __init__(self, bpm: float = 100.0, *, master: bool = False) -> None:
        self.bpm, self.master = bpm, master
        self.heard, self.followed, self.peers = True, False, 1

    def open(self, timeline: Timeline) -> None:
        self.followed = True

    def close(self) -> None:
        self.followed = False

    def timeline(self, now: float, quantum: int) -> Timeline | None:
        return Timeline(now * self.bpm / 60, now, self.bpm, quantum) if self.heard else None

    def set_bpm(self, bpm: float, now: float) -> bool:
        if not self.master:
            self.bpm = bpm
        return not self.master

    def start(self, now: float, quantum: int) -> bool:
        return not self.master


def test_turning_the_tempo_and_the_beats_bends_the_timeline_and_breaks_it_nowhere():
    desk = Desk(tempo=60.0)
    desk.time += 2.5
    assert desk.tempo.timeline().beat_at(desk.time) == pytest.approx(2.5)
    desk.set(tempo=120.0, beats=3)
    timeline = desk.tempo.timeline()
    assert (timeline.bpm, timeline.quantum) == (120.0, 3)
    assert timeline.beat_at(desk.time) == pytest.approx(2.5)
    assert desk.tempo.seconds_until("bar") == pytest.approx(0.25)
    assert desk.tempo.seconds_until("beat", desk.time) == pytest.approx(0.25)


def test_taps_set_the_tempo_and_fall_on_beats():
    desk = Desk()
    for i in range(5):
        desk.time = 200 + 0.75 * i
        bpm = desk.tempo.tap()
        assert bpm == (None if i == 0 else 80.0)
    assert desk.settings["tempo"] == 80.0
    assert desk.tempo.timeline().phase(desk.time) % 1 == pytest.approx(0.0)
    desk.time += 10  # long after: a new row of taps
    assert desk.tempo.tap() is None
    desk.time += 0.01  # two at once: brought into range
    assert desk.tempo.tap() == 300.0


def test_changes_of_other_controls_leave_nothing_waiting():
    desk = Desk()
    for i in range(100):
        desk.set(gain=-i / 10)
    assert not desk.tempo._changes


def test_a_start_is_the_first_beat_of_a_bar():
    desk = Desk(tempo=90.0)
    desk.time += 1.234
    desk.tempo.start()
    assert desk.tempo.timeline().phase(desk.time) == 0.0


def test_the_tempo_of_a_session_shows_in_the_control_and_the_control_turns_the_session():
    desk, session = Desk(tempo_source="link"), Session(97.0)
    desk.tempo.attach("link", session)
    assert desk.tempo.timeline().bpm == 97.0
    assert desk.settings["tempo"] == 97.0
    desk.set(tempo=140.0)
    desk.tempo.timeline()
    assert session.bpm == 140.0
    for session.bpm in (140.5, 141.0, 141.5):  # another turns it, step by step
        assert desk.tempo.timeline().bpm == session.bpm
        assert desk.settings["tempo"] == session.bpm
    status = desk.tempo.status()
    assert (status.source, status.peers, status.locked, status.bpm) == ("link", 1, True, 141.5)
    desk.set(tempo_source="own")
    assert desk.tempo.timeline().bpm == 141.5  # goes on as it was
    assert not session.followed


def test_a_tempo_that_no_user_changed_is_never_sent_back_to_the_session():
    desk, session = Desk(tempo_source="link"), Session(120.04)
    desk.tempo.attach("link", session)
    for session.bpm in (120.04, 350.0, 350.0, 12.0):  # beside the control, and out of its range
        before = session.bpm
        for _ in range(3):
            desk.tempo.timeline()
        assert session.bpm == before
        desk.set(gain=-3.0)


def test_a_clock_keeps_its_tempo_and_its_loss_is_reported_and_played_through():
    desk, clock = Desk(tempo_source="midi"), Session(100.0, master=True)
    desk.tempo.attach("midi", clock)
    assert desk.tempo.timeline().bpm == 100.0
    desk.set(tempo=150.0)
    assert desk.tempo.timeline().bpm == 100.0
    assert desk.settings["tempo"] == 100.0
    desk.tempo.tap()
    desk.time += 0.5
    with pytest.raises(ConfigError, match="MIDI clock"):
        desk.tempo.tap()
    with pytest.raises(ConfigError, match="MIDI clock"):
        desk.tempo.start()
    clock.heard = False
    before = desk.tempo.timeline().beat_at(desk.time)
    assert "is silent" in desk.said[-1]
    assert not desk.tempo.status().locked
    desk.time += 3.0
    assert desk.tempo.timeline().beat_at(desk.time) == pytest.approx(before + 5.0)
    desk.set(tempo=60.0)  # nobody holds it now
    assert desk.tempo.timeline().bpm == 60.0
    clock.heard = True
    assert desk.tempo.timeline().bpm == 100.0
    assert "following midi at 100.0" in desk.said[-1]


def test_a_clock_that_cannot_be_followed_is_reported_once_and_the_own_tempo_kept():
    class Missing(Session):
        def open(self, timeline: Timeline) -> None:
            raise MissingExtra("Ableton Link needs something: pip install it")

    desk = Desk(tempo=77.0)
    desk.set(tempo_source="link")
    assert desk.tempo.timeline().bpm == 77.0
    assert desk.settings["tempo_source"] == "own"
    assert "is not available" in desk.said[0]
    desk.tempo.attach("link", Missing())
    desk.set(tempo_source="link")
    for _ in range(3):
        desk.tempo.timeline()
    assert desk.settings["tempo_source"] == "own"
    assert "pip install" in desk.said[1]
    assert len(desk.said) == 2
