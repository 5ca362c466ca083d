"""Fixtures shared by all tests: sound servers without a sound card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sound_servers import (
    JACK_PROGRAMS,
    PULSE_PROGRAMS,
    JackServer,
    PulseServer,
    jack_server,
    missing,
    pulse_server,
)


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[PulseServer]:
    """A PulseAudio of the test's own, with the null sink `ci`."""
    if absent := missing(PULSE_PROGRAMS):
        pytest.skip(f"not installed: {', '.join(absent)}")
    folder = tmp_path / "pulse"
    folder.mkdir()
    with pulse_server(folder) as server:
        yield server


@pytest.fixture
def jack(tmp_path: Path) -> Iterator[JackServer]:
    """A JACK of the test's own, with the dummy driver at 48 kHz and 256 frames."""
    if absent := missing(JACK_PROGRAMS):
        pytest.skip(f"not installed: {', '.join(absent)}")
    folder = tmp_path / "jack"
    folder.mkdir()
    with jack_server(folder) as server:
        yield server
