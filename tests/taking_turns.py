"""Which tests may run side by side (pytest-xdist), and in what state the machine is before them.

Tests that need a sound server are marked `sound`: they are timed and heard, and have the machine to
themselves in a run of their own (`.ci/run`). Of the others, those that start the program itself,
which takes its usual ports, stay on one worker, and those of a file stay together.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sound_servers import forget_dead_jacks

ROOT = Path(__file__).resolve().parent
_SOUND = {"pulse", "jack"}  # fixtures that start a sound server


def pytest_sessionstart(session: pytest.Session) -> None:
    """The first process, before all workers."""
    if not hasattr(session.config, "workerinput"):
        forget_dead_jacks()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SOUND & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.sound)
        place = item.path.relative_to(ROOT).parts
        group = "program" if place[0] == "attacca" else "/".join(place)
        item.add_marker(pytest.mark.xdist_group(group))
