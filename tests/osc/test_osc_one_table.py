"""One table, said many times: the pages, OSCQuery and every layout agree with it, word for word.

Ranges and defaults of the layouts are in test_osc_templates; here their types and units are.
"""

from __future__ import annotations

import json
import re
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from control_tables import SHIPPED_SPACE, SHIPPED_TABLE, SHIPPED_TURNED

from engine.controls.control import FREE
from engine.pack_settings import first_sampling
from osc.listing import as_json
from osc.server import OscServer
from osc.templates import TEMPLATES
from osc.templates.surface import surface

DOCS = Path(__file__).parents[2] / "docs"
TYPES = {"number": "f", "whole": "i", "switch": "i", "choice": "s"}


class Said(NamedTuple):
    """What is said of one control."""

    type: str
    low: float | None
    high: float | None
    words: tuple[str, ...]
    default: float | str
    unit: str
    free: bool
    heard: str
    about: str


def table() -> dict[str, Said]:
    """The table itself, engine/controls/."""
    said = {}
    for p in SHIPPED_TURNED:
        numbers = (None, None) if p.choices else (p.low, p.high)
        default = p.default if isinstance(p.default, str) else float(p.default)
        said[SHIPPED_SPACE.of(p.name).path] = Said(
            TYPES[p.kind], *numbers, p.choices or (), default, p.unit, p.free and not p.choices,
            p.when, p.about,
        )  # fmt: skip
    return said


def rows(text: str, title: str) -> list[dict[str, str]]:
    """A Markdown table: of each row the cells by the names of the columns."""
    lines = text.split(f"# {title}\n", 1)[1].split("\n| ", 1)[1].split("\n\n", 1)[0].splitlines()
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def span(text: str) -> tuple[float | None, float | None, tuple[str, ...], str, bool]:
    """`0.5 to 20 notes/s, or free` or `one of a, b` as numbers, words, unit and whether free."""
    if text.startswith("one of "):
        return None, None, tuple(text.removeprefix("one of ").split(", ")), "", False
    found = re.fullmatch(r"(-?[\d.]+) to (-?[\d.]+)(?: ([^,]+))?(, or free)?", text)
    assert found, text
    return float(found[1]), float(found[2]), (), found[3] or "", found[4] is not None


def number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def agree(found: dict[str, Said]) -> None:
    wanted = table()
    assert list(found) == list(wanted)
    for path, said in found.items():
        want = wanted[path]
        if isinstance(want.default, float):
            assert said.default == pytest.approx(want.default, rel=1e-5), path
            want = want._replace(default=said.default)
        assert said == want


def test_the_page_of_addresses():
    found = {}
    for row in rows((DOCS / "osc.md").read_text(encoding="utf-8"), "Controls"):
        if row["address"].strip("`") not in table():
            continue  # several values
        low, high, words, unit, free = span(row["values"])
        found[row["address"].strip("`")] = Said(
            row["type"], low, high, words, number(row["default"]), unit, free, row["heard"],
            row["what it does"],
        )  # fmt: skip
    agree(found)


def test_the_page_of_addresses_has_all_that_are_not_controls_too():
    text = (DOCS / "osc.md").read_text(encoding="utf-8")
    for kind, title in (
        ("button", "Buttons"), ("command", "Commands"), ("query", "Questions"),
        ("stream", "Streams"), ("answer", "What it sends"),
    ):  # fmt: skip
        found = {r["address"].strip("`"): r for r in rows(text, title)}
        wanted = {a.path: a for a in SHIPPED_SPACE.addresses if a.kind == kind}
        assert list(found) == list(wanted)
        for path, a in wanted.items():
            assert found[path]["type"] == a.types
            assert found[path]["what it does"] == a.about.replace("|", "\\|")
            if a.low is not None and a.high is not None and kind != "button":
                assert span(found[path]["values"])[:2] == (a.low, a.high)


def test_the_page_of_controls():
    text = (DOCS / "controls.md").read_text(encoding="utf-8")
    found = {r["control"].strip("`"): r for r in rows(text, "Controls")}
    assert list(found) == [p.name for p in SHIPPED_TABLE]
    for p in SHIPPED_TABLE:
        if not p.has_position:
            assert found[p.name]["what it does"] == p.about
            continue
        row, want = found[p.name], table()[SHIPPED_SPACE.of(p.name).path]
        if p.kind != "switch":
            low, high, words, unit, _ = span(row["values"])
            assert (low, high, words, unit) == (want.low, want.high, want.words, want.unit), p.name
        default = row["default"].removesuffix(f" {p.unit}" if p.unit else "")
        if p.kind == "switch":
            default = {"on": "1", "off": "0"}[default]
        assert number(default) == want.default
        assert (row["heard"], row["what it does"]) == (p.when, p.about)


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("CONTENTS", {}).values():
        yield from leaves(below)


def test_oscquery_as_it_is_served(instrument, at_first, tmp_path):
    instrument.set(**at_first.values)
    with OscServer(instrument, port=0, library=tmp_path, query_ports=(0,)) as server:
        url = f"http://127.0.0.1:{server.query_port}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            tree = json.load(answer)
    nodes = {one["FULL_PATH"]: one for one in leaves(tree)}
    left = f" The word {FREE} (null here) leaves it to the music."
    found = {}
    own = {path: want for path, want in table().items() if not path.startswith("/pack/")}
    for path, want in own.items():
        node = nodes[path]
        (kind,), (default,) = node["RANGE"], node["DEFAULT_VALUE"]
        words = tuple(kind.get("VALS", ()))
        free = default is None or (node["DESCRIPTION"].endswith(left) and not words)
        assert node["TAGS"] == [want.heard]
        found[path] = Said(
            node["TYPE"], kind.get("MIN"), kind.get("MAX"), words,
            FREE if default is None else number(str(default)), node.get("UNIT", [""])[0], free,
            want.heard, node["DESCRIPTION"].removesuffix(left),
        )  # fmt: skip
        assert nodes[path + "/norm"]["RANGE"] == [{"MIN": 0, "MAX": 1}]
        assert nodes[path + "/norm"]["TYPE"] == "f"
    assert list(found) == list(own)
    assert found.pop("/steps").default == first_sampling(instrument.manifest).steps.default
    agree({path: found.get(path, want) for path, want in table().items()})


def test_the_list_for_programs():
    found = {}
    for one in json.loads(as_json(SHIPPED_SPACE))["addresses"]:
        if one["kind"] != "control" or one["path"] not in table():
            continue
        low, high = one.get("range", (None, None))
        words = tuple(one.get("choices", ()))
        default = one["default"] if isinstance(one["default"], str) else float(one["default"])
        free = bool(one.get("free")) and not words
        found[one["path"]] = Said(
            one["types"], low, high, words, default, one.get("unit", ""), free, one["when"],
            one["about"],
        )  # fmt: skip
    agree(found)


# ---------------------------------------------------- types and units, as each layout says them
# A label is the name and, in brackets, the unit; what is sent of a choice is its index or its word.


def labelled(label: str) -> str:
    found = re.search(r"\(([^)]+)\)", label)
    return found[1] if found else ""


def of_open_stage_control(data: bytes) -> dict[str, tuple[str, str]]:
    widgets = json.loads(data)["content"]["widgets"]
    return {
        w["address"]: (w["typeTags"], labelled(w["label"]))
        for w in widgets if w.get("mode") != "tap"
    }  # fmt: skip


def of_touchosc(data: bytes) -> dict[str, tuple[str, str]]:
    units, types = {}, {}
    for node in ET.fromstring(zlib.decompress(data)).findall("node/children/node"):
        name = next(
            p.findtext("value") or "" for p in node.findall("properties/property")
            if p.findtext("key") == "name"
        )  # fmt: skip
        held = {v.findtext("key"): v.findtext("default") or "" for v in node.iter("value")}
        argument = node.find("messages/osc/arguments/partial")
        if node.get("type") == "LABEL":
            units[name.removesuffix("/label")] = labelled(held["text"])
        elif argument is not None and argument.findtext("type") == "VALUE":
            types[name] = {"FLOAT": "f", "INTEGER": "i"}[argument.findtext("conversion") or ""]
    return {path: (kind, units[path]) for path, kind in types.items()}


def of_pure_data(data: bytes) -> dict[str, tuple[str, str]]:
    lines = data.decode().splitlines()
    boxes = [line.strip(";").split() for line in lines if line[:6] in ("#X obj", "#X msg")]
    found = {}
    for line in lines:
        if line.startswith("#X connect"):
            source, _, target, _ = map(int, line.strip(";").split()[2:])
            shown, out = boxes[source], boxes[target]
            if out[4] == "oscformat" and shown[4] in ("nbx", "tgl", "hradio"):
                after = shown.index("empty") + 2  # send, receive, label
                found[out[-1]] = (
                    out[out.index("-f") + 1],
                    labelled(shown[after].replace("_", " ")),
                )
    return found


def of_max(data: bytes) -> dict[str, tuple[str, str]]:
    found = {}
    for box in json.loads(data)["patcher"]["boxes"]:
        if box["box"].get("parameter_enable"):
            said = box["box"]["saved_attribute_attributes"]["valueof"]
            kind = "i" if "parameter_enum" in said or said["parameter_unitstyle"] == 0 else "f"
            found[said["parameter_longname"]] = (kind, labelled(said["parameter_shortname"]))
    return found


def of_supercollider(data: bytes) -> dict[str, tuple[str, str]]:
    found = re.findall(
        r"'(/[\w/]+)': \(spec: ControlSpec\(\S+, \S+, 'lin', (\d), \S+, \"(.*?)\"\)", data.decode()
    )
    return {path: ("f" if step == "0" else "i", unit) for path, step, unit in found}


def of_reaper(data: bytes) -> dict[str, tuple[str, str]]:
    """It says no types: those of the table stand in."""
    found = re.findall(r"^# (/[\w/]+) \S+ \S+(?: (.+))?$", data.decode(), re.MULTILINE)
    return {path: (table()[path].type, unit) for path, unit in found}


@pytest.mark.parametrize(("name", "read"), [
    ("open-stage-control", of_open_stage_control), ("touchosc", of_touchosc), ("pd", of_pure_data),
    ("max", of_max), ("supercollider", of_supercollider), ("reaper", of_reaper),
])  # fmt: skip
def test_types_and_units_of_a_layout(name, read):
    found = read(TEMPLATES[name].make(surface(SHIPPED_SPACE), "127.0.0.1", 9010))
    wanted = table()
    assert set(found) == set(wanted)
    for path, (kind, unit) in found.items():
        assert unit == wanted[path].unit, path
        assert kind == wanted[path].type or (kind == "i" and wanted[path].words), path


def test_there_is_no_layout_that_is_not_read_here():
    assert set(TEMPLATES) == {
        "open-stage-control", "touchosc", "pd", "max", "supercollider", "reaper"
    }  # fmt: skip
