"""Which tests may run side by side (pytest-xdist), and in what state the machine is before them.

`.ci/run` has three runs. Tests of one file stay on one worker, and those that start the program
itself, which takes its usual ports, stay together. Tests that need a sound server are marked
`sound`: most of their time is waiting, each server is a test's own, and so more of them run side by
side, those that start the program too, as they choose free ports. Those that listen for dropouts or
measure times are marked `alone`: they have the machine to themselves.
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
        if place[0] == "attacca" and item.get_closest_marker("sound"):
            group = item.nodeid
        item.add_marker(pytest.mark.xdist_group(group))
