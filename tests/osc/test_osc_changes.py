"""Other packs and devices, the last minute, and the end, over OSC while an instrument plays."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
import soundfile
from osc_program import Program

from engine.instrument import Instrument
from osc.server import OscServer

TINY = Path(__file__).parents[1] / "data" / "packs" / "tiny"


@pytest.fixture
def packs(tmp_path, monkeypatch):
    """A folder with two packs that are whole and one that is damaged."""
    folder = tmp_path / "packs"
    for name in ("first", "second", "broken"):
        shutil.copytree(TINY, folder / name)
        manifest = folder / name / "pack.toml"
        manifest.write_text(manifest.read_text().replace('name = "tiny"', f'name = "{name}"'))
    (folder / "broken" / "step.onnx").write_bytes(b"no model")
    monkeypatch.setenv("ATTACCA_PACKS", str(folder))
    return folder


@pytest.fixture
def first(packs):
    with Instrument("first", latency=2.0, threads=1) as made:
        made.play(None)
        made.wait_for_sound()
        yield made


@pytest.fixture
def ended():
    return threading.Event()


@pytest.fixture
def server(first, tmp_path, ended):
    library = tmp_path / "library"
    with OscServer(first, port=0, library=library, leave=ended.set) as made:
        yield made


def test_a_pack_is_loaded_with_progress_while_the_old_one_plays_on(program, first):
    one = program()
    assert one.ask("/packs/load") == ("/packs/load", "first")
    one.send("/packs/load", "second")
    told = []
    while not told or told[-1][0] != "/done":
        told += one.listen(0.2)
        assert not [t for t in told if t[0] == "/error"]
    fractions = [t[2] for t in told if t[0] == "/progress"]
    assert all(t[1] == "/packs/load" for t in told if t[0] == "/progress")
    assert fractions == sorted(fractions)
    assert len(fractions) > 3
    assert fractions[-1] == 1.0
    assert told[-1] == ("/done", "/packs/load", "second")
    assert one.ask("/packs/load") == ("/packs/load", "second")
    assert first.status().lead.gaps == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("third", "there is no pack 'third'; there are: first, second, broken"),
        ("../first", "there is no pack '../first'"),
        (str(TINY), "there is no pack"),
        ("broken", "step.onnx"),
    ],
)
def test_a_pack_that_cannot_be_had_is_an_error_and_the_old_one_plays_on(program, first, name, says):
    one = program()
    one.send("/packs/load", name)
    address, where, _, text = one.wait("/error", timeout=20)
    assert (address, where) == ("/error", "/packs/load")
    for word in says.split(": "):
        assert all(part in text for part in word.split(", "))
    assert first.manifest.name == "first"


def test_the_target_is_changed_with_progress_while_the_music_plays(program, first):
    one = program()
    assert one.ask("/target") == ("/target", "cpu")
    first.set(temperature=1.3)
    before = first.generator_pid
    one.send("/target", "cpu")
    received = []
    while not received or received[-1][0] != "/done":
        received += one.listen(0.2)
        assert not [t for t in received if t[0] == "/error"]
    fractions = [t[2] for t in received if t[:2] == ("/progress", "/target")]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert received[-1] == ("/done", "/target", "cpu")
    assert first.generator_pid not in (None, before)
    assert first.settings["temperature"] == pytest.approx(1.3)
    assert first.status().lead.gaps == 0


def test_a_target_that_cannot_be_used_is_an_error_and_the_music_plays_on(program, first):
    one = program()
    one.send("/target", "gpu")
    assert "Unknown target 'gpu': choose one of cpu" in one.wait("/error")[3]
    one.send("/target/list")
    count = one.wait("/target/list/end")[1]
    one.send("/target/list")
    targets = {t[1]: t for t in one.listen(0.5) if t[0] == "/target/info"}
    assert len(targets) == count
    assert targets["cpu"][3:] == ("onnxruntime", 1)
    lacked = next(name for name, about in targets.items() if not about[4])
    before = first.generator_pid
    one.send("/target", lacked)
    address, where, _, text = one.wait("/error", timeout=20)
    assert (address, where) == ("/error", "/target")
    assert f"Target {lacked!r} needs an ONNX Runtime with" in text
    assert one.ask("/target") == ("/target", "cpu")
    assert first.generator_pid == before


def test_packs_are_listed_with_what_is_wrong_with_them(program):
    one = program()
    one.send("/packs/list")
    count = one.wait("/packs/list/end")[1]
    one.send("/packs/list")
    told = [t for t in one.listen(1.0) if t[0] == "/packs/info"]
    assert len(told) == count >= 3
    mine = {t[1]: t for t in told}
    assert mine["first"][5:7] == (8000, 1)
    assert mine["first"][7] == pytest.approx(0.128)
    assert mine["first"][9] == ""


@pytest.mark.alone
def test_devices_are_found_and_taken_and_a_wrong_name_leaves_the_old_one(program, first, pulse):
    one = program()
    time.sleep(0.5)  # until the lead stands: its first blocks are short
    gaps = first.status().lead.gaps
    one.send("/device/list")
    name = one.wait("/device/info", lambda t: t[6] == 1, timeout=20)[1]
    with pulse.recording() as recorded:
        one.send("/device/select", name)
        assert one.wait("/done", timeout=20)[:2] == ("/done", "/device/select")
        one.send("/device/select", "no such card")
        assert "'no such card'" in one.wait("/error", timeout=20)[3]
        assert name in one.ask("/device/select")[1]
        time.sleep(1.0)
        one.send("/device/select", "none")
        assert one.wait("/done", timeout=20) == ("/done", "/device/select", "none")
    assert abs(recorded()).max() > 1e-3
    assert first.status().lead.gaps == gaps


def test_the_last_seconds_are_kept_in_a_file_that_is_named(program, tmp_path):
    one = program()
    time.sleep(1.0)
    one.send("/record/keep", 0.5)
    path = Path(one.wait("/done")[2])
    assert path.parent == tmp_path / "library" / "recordings"
    assert soundfile.info(path).duration == pytest.approx(0.5, abs=1e-3)
    one.send("/record/keep", -1)
    assert one.wait("/error")[1:3] == ("/record/keep", "value")


def test_the_status_has_what_a_window_shows(program, first, tmp_path):
    one = program()
    one.send("/record", "take.wav")
    one.wait("/done")
    time.sleep(0.5)
    one.send("/status")
    figures = {t[0]: t[1] for t in one.listen(0.5)}
    assert figures["/status/recording/seconds"] > 0.1
    assert figures["/status/recording/bytes"] > 1000
    assert figures["/status/recording/free"] > 0
    assert figures["/status/steps/asked"] == first.settings.number("steps")
    parts = [figures[f"/status/latency/{p}"] for p in ("device", "ring", "mixer")]
    assert sum(parts) == pytest.approx(figures["/status/latency/live"], abs=1e-3)


def test_quit_ends_the_program_and_only_when_pressed(program, ended):
    one = program()
    one.send("/quit", 0)
    one.ask("/ping", answer="/pong")
    assert not ended.is_set()
    one.send("/quit", 1)
    assert one.wait("/done") == ("/done", "/quit", "")
    assert ended.wait(5)


def test_quit_is_refused_where_the_program_is_not_oscs_to_end(first, tmp_path):
    from osc_program import Program

    with OscServer(first, port=0, library=tmp_path) as server:
        one = Program(server.port)
        one.send("/quit")
        assert "only a program on the same machine" in one.wait("/error")[3]
        one.close()


def test_a_change_that_hangs_does_not_keep_the_server(first, tmp_path, monkeypatch):
    hanging, go_on = threading.Event(), threading.Event()

    def scan():
        hanging.set()
        go_on.wait(30)
        return ()

    monkeypatch.setattr("osc.changes.scan", scan)
    with OscServer(first, port=0, library=tmp_path / "library") as server:
        one = Program(server.port)
        one.send("/device/list")
        assert hanging.wait(5)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1.0
        one.close()
    go_on.set()
