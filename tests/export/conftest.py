"""Checkpoints and packs of small systems, exported once for all tests; exports that cost little."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from small_systems import CASCADE_SAMPLING, Exported, checkpoints, exported  # noqa: E402
from torch.onnx._internal.exporter._registration import ONNXRegistry  # noqa: E402

from export.contents import Sampling  # noqa: E402
from export.systems import cascade, spectrogram  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _quick_exports() -> Iterator[None]:
    """One thread, and PyTorch's table of operators read once: it reads it again for each graph."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        once = staticmethod(cache(ONNXRegistry.from_torchlib))
        patch.setattr(ONNXRegistry, "from_torchlib", once)
        yield


@pytest.fixture(scope="session")
def saved_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The checkpoints, once for all tests."""
    return checkpoints(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def cascade_pack(saved_runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The pack of the two-stage system."""
    trained = {
        "notes": cascade.read_notes(saved_runs["notes"]),
        "sound": cascade.read_sound(saved_runs["sound"]),
    }
    contents = cascade.contents(trained["notes"], trained["sound"], CASCADE_SAMPLING)
    return exported(tmp_path_factory.mktemp("cascade") / "small", contents, trained)


@pytest.fixture(scope="session")
def spectrogram_pack(
    saved_runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """The pack of the one-stage system."""
    trained = spectrogram.read_network(saved_runs["spectrogram"])
    contents = spectrogram.contents(trained, Sampling(steps=4))
    return exported(
        tmp_path_factory.mktemp("spectrogram") / "small", contents, {"spectrogram": trained}
    )
