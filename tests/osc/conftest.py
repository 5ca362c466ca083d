"""An instrument that plays, an OSC server beside it, and programs that speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from osc_program import Program, Stream

from engine.controls.settings import Settings
from engine.instrument import Instrument
from osc.server import OscServer


@pytest.fixture
def server(instrument: Instrument, at_first: Settings, tmp_path: Path) -> Iterator[OscServer]:
    """On a port of its own, with the controls as they were at first."""
    instrument.set(**at_first.values)
    with OscServer(instrument, port=0, library=tmp_path / "library", version="1.2.3") as made:
        yield made


@pytest.fixture
def program(server: OscServer) -> Iterator[Callable[..., Program]]:
    """Makes programs: over UDP, or over TCP with `tcp=True`."""
    made: list[Program] = []

    def make(*, tcp: bool = False, sizes: bool = False) -> Program:
        one = Stream(server.port, sizes=sizes) if tcp else Program(server.port)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
