"""Nothing is said in an author's name: title, licence and credits of a pack are theirs to say."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from engine.errors import ConfigError  # noqa: E402
from export import __main__ as command  # noqa: E402
from export.contents import Card  # noqa: E402
from export.manifest_text import manifest_text  # noqa: E402
from export.pack import card_fields, licence_text  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
WHOLE = {"--title": "Mine", "--licence": "CC0-1.0", "--credit": "My recordings, CC0"}


@pytest.mark.parametrize("missing", list(WHOLE))
def test_without_a_title_a_licence_or_credits_nothing_is_exported(
    missing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [part for k, v in WHOLE.items() if k != missing for part in (k, v)]
    out = tmp_path / "mine"
    monkeypatch.setattr(sys, "argv", ["export", "checkpoint.pt", "--out", str(out), *options])
    assert command.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("export: ")
    assert said.count("\n") == 1
    assert missing in said
    assert not out.exists()


@pytest.mark.parametrize(
    "said", [("", "CC0-1.0", ("Me",)), ("Mine", " ", ("Me",)), ("Mine", "CC0-1.0", ()),
              ("Mine", "CC0-1.0", ("", " "))],
)  # fmt: skip
def test_empty_ones_are_refused_too(said: tuple[str, str, tuple[str, ...]]) -> None:
    with pytest.raises(ConfigError, match=r"--(title|licence|credit)"):
        Card("mine", *said)


def test_the_front_door_says_it_as_every_other_error(capsys: pytest.CaptureFixture[str]) -> None:
    from attacca.cli import main

    assert main(["export", "checkpoint.pt", "--out", "packs/mine"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("attacca: the following arguments are required: --title")
    assert said.count("\n") == 1


def test_the_exporter_knows_no_credits_of_the_shipped_piano() -> None:
    source = "".join(p.read_text("utf-8") for p in (ROOT / "export").rglob("*.py"))
    shipped = tomllib.loads((ROOT / "packs" / "piano" / "pack.toml").read_text("utf-8"))["pack"]
    assert shipped["title"] not in source
    for line in shipped["credits"][:-1]:  # the last is that of a graph known by its hash
        assert line.split(",")[0][:20] not in source


def test_what_an_author_says_reads_back_letter_for_letter() -> None:
    card = Card("mine", 'Klänge "🎹" \\ \t', "All rights reserved", ("Zoë 🎹, CC0", 'a "b"'))
    table = tomllib.loads(manifest_text({"": card_fields(card, card.credits)}, {}))
    assert (table["title"], table["licence"]) == (card.title, card.licence)
    assert tuple(table["credits"]) == card.credits


def test_only_an_identifier_of_spdx_gets_an_address() -> None:
    assert "https://spdx.org/licenses/CC-BY-NC-SA-4.0.html" in licence_text("CC-BY-NC-SA-4.0", ())
    assert "spdx" not in licence_text("All rights reserved", ())
