"""The datasets of the recipes, each built once; PyTorch on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tests run side by side, and the networks are too small to share."""
    torch = pytest.importorskip("torch", reason="the training extra is not installed")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a recipe's dataset, by the recipe's name."""
    built: dict[str, Path] = {}

    def folder(recipe: str) -> Path:
        if recipe not in built:
            from datasets import BUILDERS

            built[recipe] = BUILDERS[recipe](tmp_path_factory.mktemp(recipe))
        return built[recipe]

    return folder
