"""What `import attacca` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from command_line import environment

import attacca

NAMES = [
    "AttaccaError", "Block", "Blocks", "ConfigError", "DeviceError", "Event", "Instrument",
    "Latencies", "MissingExtra", "Note", "NoteEvent", "Pack", "PackError", "Settings", "Status",
    "StorageError", "WorkerError", "__version__", "read_past",
]  # fmt: skip


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_these_names_are_public_and_no_others() -> None:
    assert sorted(attacca.__all__) == NAMES
    assert set(NAMES) <= set(dir(attacca))


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(attacca, name)
    assert name == "__version__" or value.__doc__
    assert name == "__version__" or value.__name__ == name


def test_all_names_come_with_a_star() -> None:
    assert python("from attacca import *; print(Note(60, 90, 0.0, 1.0).pitch, Status.__name__)")


def test_every_error_is_caught_by_its_base() -> None:
    errors = [getattr(attacca, name) for name in NAMES if name.endswith(("Error", "Extra"))]
    assert len(errors) == 7
    assert all(issubclass(error, attacca.AttaccaError) for error in errors)


def test_a_name_that_is_not_there_is_an_attribute_error_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match="attacca has no 'Piano'; it has AttaccaError, Block"):
        _ = attacca.Piano


def test_importing_it_loads_nothing_heavy_until_a_name_is_used() -> None:
    heavy = "[m for m in ('numpy', 'onnxruntime', 'sounddevice', 'scipy') if m in sys.modules]"
    assert python(f"import sys, attacca; print({heavy})") == "[]"
    assert python(f"import sys; from attacca import AttaccaError; print({heavy})") == "[]"
    assert "torch" not in python(
        "import sys; from attacca import Instrument, read_past; print(*sys.modules)"
    )


def test_help_answers_at_once() -> None:
    took = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "attacca", "--help"], env=environment(), capture_output=True,
            check=True,
        )  # fmt: skip
        took.append(time.perf_counter() - start)
    assert min(took) < 0.6  # 0.2 s on a machine that has nothing else to do
