"""A MIDI clock through a real port: JACK's, from a client beside the desk to the tempo and back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from midi_clients import rtmidi, until

from engine.instrument import Instrument
from engine.presets import Presets
from midi.clock import LOST, MidiClock
from midi.desk import MidiDesk

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"
BPM = 150.0


class Master:
    """A sequencer that starts and then sends its clock until it is told to end."""

    def __init__(self) -> None:
        self._port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "Sequencer")
        self._port.open_port(self._port.get_ports().index("Attacca:Attacca"), "out")
        self._ending = threading.Event()
        self.started = 0.0
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def send(self, *data: int) -> None:
        self._port.send_message(list(data))

    def _run(self) -> None:
        self.send(0xFA)
        begun = self.started = time.perf_counter()
        count = 0
        while not self._ending.is_set():
            time.sleep(max(0.0, begun + count * 60 / BPM / 24 - time.perf_counter()))
            self.send(0xF8)
            count += 1

    def end(self) -> None:
        self._ending.set()
        self._thread.join()

    def close(self) -> None:
        self._port.close_port()
        self._port.delete()


@pytest.mark.sound
def test_a_clock_leads_the_tempo_a_program_waits_for_its_bar_and_its_loss_shows(jack, tmp_path):
    Presets(tmp_path / "presets").save("5 loud", {"gain": 3.0}, "tiny")
    said: list[str] = []
    with Instrument(TINY, latency=1.0, threads=1) as tiny:
        clock = MidiClock(tiny.now)
        tiny.play(None)
        tiny.wait_for_sound()
        tiny.listen(lambda e: said.append(e.text) if e.kind == "tempo" else None)
        tiny.tempo.attach("midi", clock)
        tiny.set(tempo_source="midi", quantise="bar")
        with MidiDesk(tiny, folder=tmp_path, realtime=clock.take) as desk:
            master = Master()
            try:
                master.start()
                until(lambda: tiny.tempo.status().locked, "the clock is heard")
                time.sleep(2.0)
                timeline = tiny.tempo.timeline()
                assert timeline.bpm == pytest.approx(BPM, rel=0.02)
                assert float(tiny.settings["tempo"]) == pytest.approx(BPM, rel=0.02)
                # JACK hands messages over a period or two late.
                apart = timeline.beat_at(time.perf_counter()) - (
                    (time.perf_counter() - master.started) * BPM / 60
                )
                assert abs(apart) < 0.3
                master.send(0xC0, 4)
                until(
                    lambda: "recall" in tiny.quantised_actions.waiting(),
                    "the program waits for the bar",
                )
                assert tiny.settings["gain"] == 0.0
                until(lambda: tiny.settings["gain"] == 3.0, "the program is recalled")
                phase = tiny.tempo.timeline().phase(time.perf_counter())
                assert min(phase, 4 - phase) < 1.0
                master.end()
                ended = time.perf_counter()
                until(lambda: not tiny.tempo.status().locked, "its loss is noticed")
                assert LOST - 0.5 < time.perf_counter() - ended < LOST + 3
                assert any("went silent" in text for text in said)
                assert tiny.tempo.timeline().bpm == pytest.approx(BPM, rel=0.02)
                assert desk.figures.faults == 0
            finally:
                master.end()
                master.close()
