"""The control bus: order, origins, presets, locks, transport."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

import pytest
from bare_controls import bare_bus
from control_tables import ENGINE_TABLE, SHIPPED_TABLE, shipped_settings
from hypothesis import given
from hypothesis import strategies as st

from engine.controls.bus import KEYBOARD, MIDI, PACK, PRESET, PYTHON, TEMPO, UNDO, Origin
from engine.controls.table import ControlTable
from engine.errors import ConfigError


def test_a_listener_receives_who_changed_what_and_nothing_when_nothing_changes():
    bus, changes = bare_bus(), []
    remove = bus.listen(changes.append)
    bus.set({"gain": -3.0, "seed": 1}, MIDI)  # 1 is the default seed
    bus.set({"gain": -3.0}, KEYBOARD)
    (change,) = changes
    assert (change.origin, dict(change.old), dict(change.new)) == (
        MIDI, {"gain": 0.0}, {"gain": -3.0},
    )  # fmt: skip
    assert change.settings is bus.settings
    remove()
    bus.set({"gain": -4.0}, MIDI)
    assert len(changes) == 1


def test_racing_sources_lose_nothing_and_listeners_see_one_order():
    bus, seen = bare_bus(), []
    bus.listen(seen.append)
    names = {MIDI: "gain", Origin("osc", 1): "seed", KEYBOARD: "steps"}
    together = threading.Barrier(len(names))

    def turn(origin: Origin, name: str) -> None:
        together.wait()
        for i in range(300):
            bus.set({name: -60 + i / 10 if name == "gain" else 1 + (i + 1) % 199}, origin)

    threads = [threading.Thread(target=turn, args=pair) for pair in names.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 900
    values = dict(shipped_settings().values)
    for change in seen:
        assert {name: values[name] for name in change.old} == dict(change.old)
        assert names[change.origin] in change.new
        values.update(change.new)
        assert dict(change.settings.values) == values
    assert values == dict(bus.settings.values)


def test_what_is_refused_changes_nothing():
    bus, changes = bare_bus(), []
    bus.listen(changes.append)
    with pytest.raises(ConfigError, match="pack/density: 'many' is not a number"):
        bus.set({"gain": -3.0, "density": "many"}, PYTHON)
    with pytest.raises(ConfigError, match="is not a control"):
        bus.set({"gain": -3.0, "loudnes": 4.0}, PYTHON)
    assert (bus.settings["gain"], changes) == (0.0, [])


def test_a_value_that_somebody_has_set_since_is_left_alone():
    bus = bare_bus()
    seen = bus.settings
    bus.set({"tempo": 90.0}, MIDI)
    change = bus.set({"tempo": 133.0, "tempo_source": "link"}, TEMPO, seen=seen)
    assert dict(change.new) == {"tempo_source": "link"}
    assert bus.settings["tempo"] == 90.0


TRANSPORT = [p.name for p in SHIPPED_TABLE if p.transport]


def test_pause_and_held_keys_are_transport():
    assert TRANSPORT == ["pause", "pack/held"]
    assert not any(SHIPPED_TABLE[name].in_presets for name in TRANSPORT)


@given(st.lists(st.sampled_from(["pause", "gain", "seed", "undo", "redo", "preset"]), max_size=30))
def test_no_preset_no_undo_and_no_redo_starts_or_stops_the_music(steps):
    bus = bare_bus()
    preset = {**bus.settings.values, "gain": -12.0, "seed": 3, "pause": True}
    paused = False
    for i, step in enumerate(steps):
        match step:
            case "pause":
                paused = not paused
                bus.set({"pause": paused}, PYTHON)
            case "gain":
                bus.set({"gain": -float(i), "pause": paused}, MIDI)
            case "seed":
                bus.set({"seed": i}, PYTHON)
            case "preset":
                bus.restore(preset)
            case "undo" | "redo":
                with contextlib.suppress(ConfigError):  # nothing is left to undo or to redo
                    getattr(bus, step)()
        assert bus.settings["pause"] is paused


def test_a_locked_gain_and_seed_stay_through_presets_undo_and_redo():
    bus = bare_bus()
    bus.set({"gain": -6.0, "seed": 7, "steps": 9}, PYTHON)
    bus.set({"lock/gain": True, "lock/seed": True}, PYTHON)
    restored = bus.restore({"gain": 0.0, "seed": 1, "steps": 12})
    assert dict(restored.change.new) == {"steps": 12}
    assert bus.undo().new["steps"] == 9
    assert dict(bus.undo().new) == {"steps": 8}, "of the first gesture, what is not locked"
    with pytest.raises(ConfigError, match="nothing is left to undo"):
        bus.undo()
    assert (bus.settings["lock/gain"], bus.settings["lock/seed"]) == (True, True)
    assert (bus.settings["gain"], bus.settings["seed"]) == (-6.0, 7)
    bus.set({"lock/gain": False, "lock/seed": False}, PYTHON)
    bus.restore({"gain": -1.0})
    assert bus.settings["gain"] == -1.0


def test_two_presets_in_a_second_are_two_gestures():
    bus = bare_bus()
    bus.restore({"gain": -1.0})
    bus.restore({"gain": -2.0})
    assert bus.undo().new["gain"] == -1.0


def test_a_midi_knob_can_be_undone_and_a_followed_tempo_cannot():
    bus = bare_bus()
    bus.set({"density": 5.0}, MIDI)
    bus.set({"tempo": 99.0}, TEMPO)
    assert bus.undo().origin == UNDO
    assert (bus.settings["density"], bus.settings["tempo"]) == ("free", 99.0)
    with pytest.raises(ConfigError, match="nothing is left to undo"):
        bus.undo()


def test_presets_and_undo_leave_out_what_another_pack_does_not_have():
    bus = bare_bus()
    bus.set({"density": 5.0, "gain": -2.0}, PYTHON)
    bus.replace(bus.settings.moved_to(ENGINE_TABLE), PACK)
    restored = bus.restore({"pack/density": 7.0, "gain": -4.0, "sampler": "none such"})
    assert restored.change.origin == PRESET
    assert dict(restored.change.new) == {"gain": -4.0}
    assert restored.not_applied == ("pack/density", "sampler")
    bus.undo()
    bus.undo()
    assert "density" not in bus.settings.table
    assert dict(bus.redo().new) == {"gain": -2.0}


def test_another_pack_keeps_the_values_that_exist_there_and_are_valid():
    bus, changes = bare_bus(), []
    bus.listen(changes.append)
    bus.set({"density": 5.0, "room": 0.9, "harmony": "C E"}, PYTHON)
    narrow = replace(SHIPPED_TABLE["density"], high=4.0)
    table = ControlTable((*ENGINE_TABLE, narrow, SHIPPED_TABLE["room"]))
    bus.replace(bus.settings.moved_to(table), PACK)
    assert bus.settings["room"] == 0.9
    assert bus.settings["density"] == "free", "5 is out of its range"
    assert changes[-1].settings.table is table
    assert dict(changes[-1].new) == {"pack/density": "free"}


def test_a_part_of_a_control_changes_its_place_in_the_value():
    bus, changes = bare_bus(), []
    bus.listen(changes.append)
    bus.set({"pack/harmony/c": 1.0, "harmony/g": 0.5}, MIDI)
    assert bus.settings["harmony"] == (1.0, *[0.0] * 6, 0.5, *[0.0] * 4)
    assert bus.settings["harmony/g"] == 0.5
    bus.set({"harmony/c": 0, "harmony/g": 0}, MIDI)
    assert bus.settings["harmony"] == "free"
    assert [set(change.new) for change in changes] == [{"pack/harmony"}] * 2


def test_half_a_preset_is_restored_at_a_time():
    bus = bare_bus()
    values = {"gain": -2.0, "seed": 5}
    assert dict(bus.restore(values, "block").change.new) == {"seed": 5}
    assert dict(bus.restore(values, "live").change.new) == {"gain": -2.0}
