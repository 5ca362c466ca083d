"""The pages of docs/programs: their addresses, commands and links are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from control_tables import SHIPPED_SPACE

from attacca.cli import make_parser
from osc.patterns import is_pattern, matching

FOLDER = Path(__file__).parents[2] / "docs" / "programs"
PAGES = sorted(FOLDER.glob("*.md"))
PATHS = {a.path for a in SHIPPED_SPACE.addresses}
THEIRS = {"/transport_play"}  # Ardour's own


def test_there_is_one_for_each_program():
    names = {"reaper", "ableton-live", "ardour", "bitwig", "max", "pure-data", "sound"}
    assert {page.stem for page in PAGES} == names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_address_is_one(page):
    text = page.read_text(encoding="utf-8")
    bare = re.sub(r"\]\([^)]*\)", "]", text)  # without the links
    said = re.findall(r"(?<![\w/.:@-])(/[a-z_]+(?:[/\w\[\]{},*]+)?)", bare)
    said = [path if "[" in path else path.rstrip("]") for path in said]
    wrong = {
        path for path in said
        if path not in PATHS | THEIRS and not (is_pattern(path) and matching(path, PATHS))
    }  # fmt: skip
    assert not wrong
    assert said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_one(page):
    text = page.read_text(encoding="utf-8")
    commands = re.findall(r"^attacca (.+)$|`(?:pw-jack )?attacca ([^`]+)`", text, re.MULTILINE)
    for first, second in commands:
        make_parser().parse_args(shlex.split((first or second).partition("#")[0]))
    assert commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere_and_untried_programs_are_marked(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (FOLDER / link).is_file(), link
    assert re.search(r"\*(Tested|Not tested)", text)
    assert all(len(line) <= 100 for line in text.splitlines())
