"""A pack with controls that no code mentions: they appear in every interface, and work there."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path

import mido
import pytest
from made_packs import latent
from osc_program import Program
from tiny_pack import TINY

from attacca.cli import make_parser
from attacca.options import set_others
from engine.controls.bus import MIDI, Change
from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.presets import Presets
from midi.mapping import Mapping, Source
from midi.steering import Steering
from midi.store import Kept
from osc.addresses import address_space
from osc.descriptions import described
from osc.server import OscServer
from osc.templates import TEMPLATES
from osc.templates.surface import surface

CONTROLS = """
[[control]]
name = "wildness"
kind = "number"
range = [2, 6]
unit = "wd"
default = "free"
group = "zoo"
about = "How wild it is."
[[control]]
name = "animal"
kind = "choice"
choices = ["cat", "dog", "owl"]
about = "Which animal."
[[control]]
name = "asleep"
kind = "switch"
about = "Whether it sleeps."
[[control]]
name = "feed"
kind = "action"
about = "Feed it once."
[[control]]
name = "howl"
kind = "pitch_classes"
about = "The notes that it howls."
[[control]]
name = "walk"
kind = "chords"
about = "Where it goes."
"""
NAMES = ("wildness", "animal", "asleep", "feed", "howl", "walk")


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    folder = latent(tmp_path_factory.mktemp("zoo"))
    manifest = folder / "pack.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace("[golden]", f"{CONTROLS}\n[golden]"))
    return folder


@pytest.fixture
def zoo(pack):
    with Instrument(pack, latency=1.0, threads=1) as made:
        yield made


@pytest.fixture
def playing(zoo):
    zoo.play(None)
    zoo.wait_for_sound()
    return zoo


def test_python_and_presets(zoo, tmp_path):
    assert [c.short for c in zoo.settings.table.pack] == list(NAMES)
    zoo.set({"pack/wildness": 4.5}, animal="owl", howl="C G", walk="C | Am7")
    presets = Presets(tmp_path)
    presets.save("night", zoo.settings.for_presets(), "zoo")
    zoo.set(wildness="free", animal="cat", howl="free", walk="free")
    restored = zoo.controls.restore(presets.load("night"))
    assert (zoo.settings["wildness"], zoo.settings["animal"]) == (4.5, "owl")
    assert zoo.settings["walk"] == "C | Am7"
    assert zoo.settings["howl/g"] == 1.0
    assert restored.not_applied == ()
    other = Instrument(TINY).controls.restore(presets.load("night"))
    names = ("wildness", "animal", "asleep", "howl", "walk")
    assert set(other.not_applied) == {f"pack/{name}" for name in names}


def test_the_command_line(zoo):
    parse = make_parser().parse_args
    set_others(parse(["play", "--set", "wildness=3", "--set", "pack/asleep=on"]), zoo)
    assert (zoo.settings["wildness"], zoo.settings["asleep"]) == (3.0, True)
    with pytest.raises(ConfigError, match="pack/wildness: '9' is out of range; enter 2 to 6 wd"):
        set_others(parse(["play", "--set", "wildness=9"]), zoo)


def test_midi_learn(zoo):
    said: list[str] = []
    steering = Steering(zoo, said.append, {})
    steering.load(Kept((), takeover=False))
    steering.check("pack/wildness")
    steering.arm("pack/wildness")
    for i, value in enumerate((10, 40, 90, 127)):
        message = mido.Message("control_change", control=20, value=value)
        steering.take("nano", message, 100.0 + i)
        steering.settle(100.5 + i)
    assert steering.kept.mappings[0].target == "pack/wildness"
    assert zoo.settings["wildness"] == 6.0
    steering.load(Kept((Mapping("pack/howl/d", Source("cc", 21, 1)),), takeover=False))
    steering.take("nano", mido.Message("control_change", control=21, value=127), 200.0)
    steering.settle(200.5)
    assert zoo.settings["howl"][2] == 1.0
    with pytest.raises(
        ConfigError, match="pack/walk is a chords, which a controller cannot change"
    ):
        steering.check("pack/walk")


def test_layouts(zoo):
    whole = surface(address_space(zoo.settings.table))
    assert "/pack/feed" in [button.path for button in whole.buttons]
    for name, template in TEMPLATES.items():
        data = template.make(whole, "127.0.0.1", 9010)
        assert template.text is False or b"/pack/wildness" in data, name


def test_osc_and_oscquery_describe_them_and_follow_a_change_of_pack(playing, tmp_path):
    with OscServer(playing, port=0, library=tmp_path, query_ports=(0,)) as server:
        one = Program(server.port)
        try:
            one.send("/controls")
            one.wait("/controls/end")
            found = {m[1]: described(m[2]) for m in one.heard if m[0] == "/controls/info"}
            assert {f"/pack/{name}" for name in NAMES} <= set(found)
            assert found["/pack/wildness"].group == "zoo"
            assert one.ask("/pack/wildness", 5.0) == ("/pack/wildness", 5.0)
            assert one.ask("/pack/wildness/norm") == ("/pack/wildness/norm", 0.75)
            assert one.ask("/pack/animal", "dog") == ("/pack/animal", "dog")
            assert one.ask("/pack/howl", "D")[1:4] == (0.0, 0.0, 1.0)
            assert one.ask("/pack/howl/d") == ("/pack/howl/d", 1.0)
            url = f"http://127.0.0.1:{server.query_port}/pack/wildness"
            with urllib.request.urlopen(url, timeout=10) as answer:
                node = json.load(answer)
            assert (node["VALUE"], node["RANGE"]) == ([5.0], [{"MIN": 2.0, "MAX": 6.0}])
            one.send("/subscribe")
            one.listen(0.2)
            playing.load(TINY)
            assert one.wait("/controls/changed")[1] == len(playing.settings.table)
            one.send("/pack/wildness", 3.0)
            assert one.wait("/error")[1:3] == ("/pack/wildness", "unknown")
        finally:
            one.close()


def test_an_action_is_taken_by_one_block_and_comes_to_rest(playing):
    changes: list[tuple[str, object]] = []
    rests = threading.Event()

    def take(change: Change) -> None:
        if "pack/feed" in change.new:
            changes.append((change.origin.kind, change.new["pack/feed"]))
            if change.new["pack/feed"] is False:
                rests.set()

    playing.controls.listen(take)
    playing.controls.set({"pack/feed": 1}, MIDI)
    assert rests.wait(20)
    assert changes == [("midi", True), ("applied", False)]
