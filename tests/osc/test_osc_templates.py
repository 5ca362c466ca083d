"""Every layout holds every control of the table: its address, its range, its default, its words."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from control_tables import SHIPPED_SPACE, SHIPPED_TURNED

from engine.controls.control import FREE
from osc.templates import TEMPLATES
from osc.templates.surface import surface

HOST, PORT = "192.168.1.7", 9123


class Held(NamedTuple):
    """What a layout says of one control; a choice's range is that of its indices."""

    low: float
    high: float
    default: float  # of a control that is left to the music its lowest value
    words: tuple[str, ...] | None = None  # where the layout says them


def table() -> dict[str, Held]:
    """The same out of the table of controls itself."""
    found = {}
    for p in SHIPPED_TURNED:
        low, high = (0, len(p.choices) - 1) if p.choices else (p.low, p.high)
        default = (
            p.choices.index(p.default) if p.choices else low if p.default == FREE else p.default
        )
        found[SHIPPED_SPACE.of(p.name).path] = Held(low, high, float(default), p.choices)
    return found


def made(name: str) -> bytes:
    return TEMPLATES[name].make(surface(SHIPPED_SPACE), HOST, PORT)


def agree(found: dict[str, Held], *, has_words: bool = True) -> None:
    """`has_words`: the layout names the values of a choice."""
    wanted = table()
    assert set(found) == set(wanted)
    for path, held in found.items():
        want = wanted[path]
        assert (held.low, held.high) == (want.low, want.high), path
        assert held.default == pytest.approx(want.default, abs=1e-9), path
        if has_words:
            assert (held.words or ()) == want.words, path


FREE_PATHS = {SHIPPED_SPACE.of(p.name).path for p in SHIPPED_TURNED if p.free and not p.choices}
BUTTONS = {a.path for a in SHIPPED_SPACE.addresses if a.kind == "button" or a.has_button}


def test_the_table_has_what_every_layout_is_searched_for():
    assert "/pack/density" in FREE_PATHS
    assert {"/play", "/panic"} <= BUTTONS
    assert any(held.words for held in table().values())


def test_an_open_stage_control_session_holds_them_all():
    whole = json.loads(made("open-stage-control"))
    assert (whole["type"], whole["content"]["target"]) == ("session", f"{HOST}:{PORT}")
    widgets = whole["content"]["widgets"]
    assert len({w["id"] for w in widgets}) == len(widgets)
    assert {w["address"] for w in widgets if w.get("on") == FREE} == FREE_PATHS
    assert {w["address"] for w in widgets if w.get("mode") == "tap" and w["on"] == 1} == BUTTONS
    places = {(w["left"], w["top"]) for w in widgets}
    assert len(places) == len(widgets)
    found = {}
    for w in widgets:
        if w.get("mode") == "tap":
            continue
        if w["type"] == "dropdown":
            words = tuple(w["values"].values())
            found[w["address"]] = Held(0, len(words) - 1, words.index(w["default"]), words)
        elif w["type"] == "button":
            found[w["address"]] = Held(w["off"], w["on"], w["default"])
        else:
            low, high = w["range"]["min"], w["range"]["max"]
            free = w["default"] == FREE
            assert free == (SHIPPED_SPACE.by_path[w["address"]].default == FREE)
            found[w["address"]] = Held(low, high, low if free else w["default"])
        assert w["typeTags"] == SHIPPED_SPACE.by_path[w["address"]].types
    agree(found)


def tosc(data: bytes) -> ET.Element:
    return ET.fromstring(zlib.decompress(data))


def test_a_touchosc_layout_holds_them_all():
    tree = tosc(made("touchosc"))
    assert tree.tag == "lexml"
    nodes = tree.findall("node/children/node")
    assert len({n.get("ID") for n in nodes}) == len(nodes)
    found, frees, buttons, colours = {}, set(), set(), []
    for node in nodes:
        if node.get("type") == "LABEL":
            continue
        path = "".join(v.text or "" for v in node.findall("messages/osc/path/partial/value"))
        argument = node.find("messages/osc/arguments/partial")
        assert argument is not None
        colours += [float(t.text or "nan") for t in node.findall("properties/property/value/*")]
        said = {child.tag: child.text or "" for child in argument}
        if said["type"] == "CONSTANT":
            assert node.findtext("messages/osc/triggers/trigger/condition") == "RISE"
            (frees if said["value"] == FREE else buttons).add(path)
            continue
        values = {v.findtext("key"): v.findtext("default") for v in node.findall("values/value")}
        start = float(values["x"] or "nan")
        low, high = float(said["scaleMin"]), float(said["scaleMax"])
        if node.get("type") == "RADIO":
            steps = {
                p.findtext("key"): p.findtext("value") for p in node.findall("properties/property")
            }["steps"]
            found[path] = Held(0, int(steps or 0) - 1, start)
        else:
            found[path] = Held(low, high, low + start * (high - low))
    agree(found, has_words=False)
    assert min(colours) >= 0
    assert len(colours) >= 4 * len(found), "red, green, blue and alpha of each"
    assert (frees, buttons) == (FREE_PATHS, BUTTONS)
    again = made("touchosc")
    assert made("touchosc") == again, "two makings are the same file"


class Pd(NamedTuple):
    """A patch as Pure Data reads it: objects by number, and where each cord goes."""

    objects: list[list[str]]
    cords: list[tuple[int, int, int, int]]


def pd(data: bytes) -> Pd:
    lines = [line.replace("\n", " ").split() for line in re.split(r"(?<!\\);\n", data.decode())]
    assert lines[0][:2] == ["#N", "canvas"]
    objects = [line[4:] for line in lines if line[:2] in (["#X", "obj"], ["#X", "msg"])]
    cords = [tuple(map(int, line[2:6])) for line in lines if line[:2] == ["#X", "connect"]]
    return Pd(objects, cords)  # type: ignore[arg-type]


def test_a_pure_data_patch_holds_them_all_and_every_cord_has_two_ends():
    patch = pd(made("pd"))
    ends = {end for cord in patch.cords for end in (cord[0], cord[2])}
    assert len(ends) > len(table())
    assert ends <= set(range(len(patch.objects)))
    assert ["connect", HOST, str(PORT)] in patch.objects
    into: dict[int, list[int]] = {}
    for source, _, target, _ in patch.cords:
        into.setdefault(target, []).append(source)
    found, frees, buttons = {}, set(), set()
    for number, box in enumerate(patch.objects):
        if box[0] != "oscformat" or "-f" not in box:
            continue
        path = box[-1]
        (source,) = into[number]
        shown = patch.objects[source]
        if shown[:2] == ["symbol", FREE]:
            frees.add(path)
        elif shown == ["1"]:
            buttons.add(path)
        elif shown[0] == "nbx":
            found[path] = Held(float(shown[3]), float(shown[4]), float(shown[-2]))
        elif shown[0] == "tgl":
            found[path] = Held(0, float(shown[-1]), float(shown[-2]))
        else:
            assert shown[0] == "hradio"
            words = heard_words(patch, source)
            found[path] = Held(0, int(shown[4]) - 1, float(shown[-1]), words)
    agree(found)
    assert (frees, buttons) == (FREE_PATHS, BUTTONS)


def heard_words(patch: Pd, radio: int) -> tuple[str, ...]:
    """The words that set a row of cells, in the order of the cells that they set."""
    words = {}
    for message, _, target, _ in patch.cords:
        if target == radio and patch.objects[message][0] == "set":
            (cord,) = [c for c in patch.cords if c[2] == message]
            words[int(patch.objects[message][1])] = patch.objects[cord[0]][1 + cord[1]]
    return tuple(words[i] for i in range(len(words)))


def test_a_max_patch_holds_them_all_and_every_cord_has_two_ends():
    patcher = json.loads(made("max"))["patcher"]
    boxes = {b["box"]["id"]: b["box"] for b in patcher["boxes"]}
    lines = [tuple(map(tuple, line["patchline"].values())) for line in patcher["lines"]]
    assert len(lines) > len(table())
    for (source, outlet), (target, inlet) in lines:
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[target]["numinlets"]
    texts = [box.get("text", "") for box in boxes.values()]
    assert f"udpsend {HOST} {PORT}" in texts
    found = {}
    for name, box in boxes.items():
        if not box.get("parameter_enable"):
            continue
        parameter: dict[str, Any] = box["saved_attribute_attributes"]["valueof"]
        (path,) = {
            boxes[target]["text"].removeprefix("prepend ")
            for (source, _), (target, _) in lines if source == name
        }  # fmt: skip
        assert path == parameter["parameter_longname"]
        (default,) = parameter["parameter_initial"]
        words = tuple(parameter["parameter_enum"]) if "parameter_enum" in parameter else None
        low, high = (0, len(words) - 1) if words else (0, 1)
        found[path] = Held(
            parameter.get("parameter_mmin", low), parameter.get("parameter_mmax", high), default,
            words,
        )  # fmt: skip
    agree(found)
    assert {f"{path} {FREE}" for path in FREE_PATHS} <= set(texts)
    assert {f"{path} 1" for path in BUTTONS} <= set(texts)


def test_a_supercollider_snippet_holds_them_all_and_its_brackets_match():
    text = made("supercollider").decode()
    assert f'NetAddr("{HOST}", {PORT})' in text
    found = {}
    for path, low, high, step, start, default, words in re.findall(
        r"^  '(/[\w/]+)': \(spec: ControlSpec\(([-\d.]+), ([-\d.]+), 'lin', (\d), ([-\d.]+), "
        r"\"[^\"]*\"\), default: ([^,]+), choices: \[(.*)\]\)",
        text, re.MULTILINE,
    ):  # fmt: skip
        listed = tuple(re.findall(r"'(\w+)'", words))
        address = SHIPPED_SPACE.by_path[path]
        assert default.strip("'") == (
            address.default if isinstance(address.default, str) else f"{float(address.default):g}"
        )
        assert (step == "0") == (address.types == "f")
        found[path] = Held(float(low), float(high), float(start), listed)
    agree(found)
    assert {path for path in BUTTONS if f"'{path}'" not in text} == set()
    bare = re.sub(r"//.*|'[^']*'|\"[^\"]*\"", "", text)
    open_ones = []
    for sign in re.findall(r"[()\[\]{}]", bare):
        if sign in "([{":
            open_ones.append(sign)
        else:
            assert open_ones.pop() + sign in ("()", "[]", "{}")
    assert not open_ones


def test_a_reaper_file_lists_them_all_and_binds_only_addresses_that_exist():
    text = made("reaper").decode()
    assert f"device IP {HOST}, device port {PORT}" in text
    found = {}
    for path, span, default in re.findall(r"^# (/[\w/]+) (\S+) (\S+)", text, re.MULTILINE):
        if ".." in span:
            low, high = map(float, span.split(".."))
            found[path] = Held(low, high, low if default == FREE else float(default))
        else:
            words = tuple(span.split("|"))
            found[path] = Held(0, len(words) - 1, words.index(default), words)
    agree(found)
    bound = re.findall(r"^[A-Z_]+ [tbn](/\S+)$", text, re.MULTILINE)
    assert len(bound) >= 4
    assert {SHIPPED_SPACE.by_path[path].kind for path in bound} <= {"control", "norm", "button"}
