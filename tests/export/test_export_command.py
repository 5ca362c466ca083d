"""`python -m export`: the options reach the manifest, and the stages choose the system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

import export.pack as exporter  # noqa: E402
from engine.errors import ConfigError  # noqa: E402
from engine.packs.manifest import Manifest  # noqa: E402
from engine.packs.read import read_manifest  # noqa: E402
from export.__main__ import run  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.slow]
AUTHOR = ("--title", "Mine", "--licence", "CC0-1.0", "--credit", "Me, CC0", "--credit", "You, CC0")


def command(graphs: Path, out: Path, patch: pytest.MonkeyPatch, *arguments: object) -> Manifest:
    """Run the command with graphs that are there already, and read what it wrote."""

    def copy(_module: object, _inputs: object, _outputs: object, path: Path) -> None:
        shutil.copyfile(graphs / path.name, path)

    patch.setattr(exporter, "export_graph", copy)
    assert run([*map(str, arguments), "--out", str(out), *AUTHOR], "export") == 0
    return read_manifest(out)


def test_a_checkpoint_alone_is_the_one_stage_system(
    spectrogram_pack, saved_runs, tmp_path, monkeypatch, capsys
):
    manifest = command(
        spectrogram_pack.folder, tmp_path / "mine", monkeypatch,
        saved_runs["spectrogram"], "--sampler", "ddim", "--steps", 6, "--min-steps", 3,
        "--temperature", 0.9, "--sigma-max", 40, "--version", "1.2.3",
    )  # fmt: skip
    sampling = manifest.stages[0].sampling
    assert (sampling.sampler, sampling.steps.default, sampling.steps.least) == ("ddim", 6, 3)
    assert sampling.temperature == 0.9
    assert sampling.schedule_options == {"sigma_min": 0.002, "sigma_max": 40.0, "rho": 7.0}
    assert (manifest.name, manifest.version) == ("mine", "1.2.3")
    assert manifest.credits == ("Me, CC0", "You, CC0")
    assert "MB; torch and ONNX differ by at most" in capsys.readouterr().out


def test_a_checkpoint_of_notes_beside_it_makes_a_cascade(
    cascade_pack, saved_runs, tmp_path, monkeypatch
):
    manifest = command(
        cascade_pack.folder, tmp_path / "mine", monkeypatch,
        saved_runs["sound"], "--notes", saved_runs["notes"], "--notes-guidance", 1.5,
        "--notes-steps", 12, "--steps", 4, "--min-steps", 2,
    )  # fmt: skip
    notes, sound = (stage.sampling for stage in manifest.sampled)
    assert (notes.sampler, notes.steps.default, notes.steps.least) == ("ddim", 12, 8)
    assert notes.guidance.scale == 1.5
    assert notes.schedule_options == {"sigma_min": 0.15, "sigma_max": 8.0, "rho": 5.0}
    assert (sound.sampler, sound.steps.default, sound.guidance.scale) == ("dpmpp_2m", 4, 1.0)


def test_a_system_without_one_of_its_checkpoints_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'cascade' needs .* Use --notes CHECKPOINT"):
        run(["x.pt", "--system", "cascade", "--out", str(tmp_path / "mine"), *AUTHOR], "export")


def test_a_card_that_cannot_be_read_is_refused(tmp_path):
    from engine.errors import StorageError

    missing = tmp_path / "card.md"
    with pytest.raises(StorageError, match=f"--card {missing} cannot be read"):
        run(["x.pt", "--card", str(missing), "--out", str(tmp_path / "mine"), *AUTHOR], "export")
