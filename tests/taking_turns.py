"""Which tests may run side by side (pytest-xdist), and in what state the machine is before them.

`.ci/run` has two runs. In the first, tests of one file stay on one worker, and those that start the
program itself, which takes its usual ports, stay together, and so do those of PyTorch, which share
datasets and exported packs. Tests that need a sound server (marked
`sound`) start one of their own and mostly wait. Those of JACK stay together: its servers share a
lock, which a server that was stopped may keep. In the second run are the tests that listen for
dropouts or measure times; they are marked `alone` and have the machine to themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sound_servers import forget_dead_jacks

ROOT = Path(__file__).resolve().parent
_SOUND = {"pulse", "jack"}  # fixtures that start a sound server
_TOGETHER = {"attacca": "program", "training": "torch", "export": "torch"}  # groups by folder


def pytest_sessionstart(session: pytest.Session) -> None:
    """The first process, before all workers."""
    if not hasattr(session.config, "workerinput"):
        forget_dead_jacks()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        servers = _SOUND & set(getattr(item, "fixturenames", ()))
        if servers:
            item.add_marker(pytest.mark.sound)
        place = item.path.relative_to(ROOT).parts
        group = _TOGETHER.get(place[0], "/".join(place))
        if "jack" in servers:
            group = "jack"
        item.add_marker(pytest.mark.xdist_group(group))
