"""The generated pages say what the code's own tables say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from control_tables import SHIPPED_TABLE

from engine.packs import earlier_formats, format_3
from engine.representations.kinds import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_what_the_tables_give(build):
    stale = [p.name for p, make in build.pages().items() if p.read_text("utf-8") != make()]
    assert not stale, "run make docs"


def test_every_control_is_documented_with_its_bounds():
    page = (DOCS / "controls.md").read_text("utf-8")
    for control in SHIPPED_TABLE:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{control.name}` |"))
        assert control.when in row
        assert control.span() in row


def fields_in(page, marker):
    block = re.search(rf"<!-- table: {marker} -->(.*?)<!-- end -->", page, re.DOTALL)
    return re.findall(r"^\| `(\w+)` \|", block[1], re.MULTILINE)


def test_every_field_of_a_manifest_is_documented_under_its_table():
    page = (DOCS / "packs.md").read_text("utf-8")
    for table, fields in format_3.TABLES.items():
        assert fields_in(page, table or "top") == [f.name for f in fields]
    for table, fields in earlier_formats.TABLES.items():
        assert fields_in(page, f"earlier {table or 'top'}") == [f.name for f in fields]


def test_every_representation_is_documented_with_its_options():
    page = (DOCS / "packs.md").read_text("utf-8")
    options = [f.name for kind in KINDS.values() for f in kind.options]
    assert fields_in(page, "representations") == options
    for name, kind in KINDS.items():
        assert f"**`{name}`**: {kind.about}." in page


def test_a_table_without_a_place_in_the_page_is_refused(build):
    with pytest.raises(ValueError, match="stage"):
        build.packs_page("<!-- table: golden -->\n<!-- end -->\n")


def test_a_place_without_a_table_is_refused(build):
    page = (DOCS / "packs.md").read_text("utf-8")
    with pytest.raises(ValueError, match="look at: listening"):
        build.packs_page(page + "<!-- table: listening -->\n<!-- end -->\n")


def test_check_names_a_stale_page_and_leaves_it(build, tmp_path, monkeypatch, capsys):
    for name in ("controls.md", "osc.md", "packs.md", "pack.schema.json"):
        (tmp_path / name).write_text((DOCS / name).read_text("utf-8"), "utf-8")
    with (tmp_path / "controls.md").open("a") as page:
        page.write("stale\n")
    fresh = build.pages(tmp_path)
    monkeypatch.setattr(build, "pages", lambda: fresh)
    assert build.main(["--check"]) == 1
    assert "controls.md is out of date" in capsys.readouterr().err
    assert (tmp_path / "controls.md").read_text("utf-8").endswith("stale\n")
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


def test_links_between_pages_lead_somewhere():
    root = DOCS.parent
    pages = [*DOCS.glob("*.md"), *root.glob("*.md")]
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"`(docs/[\w./-]+\.(?:md|py|png|svg))`", page.read_text("utf-8"))
        if not (root / target).exists()
    ]
    assert not dead
