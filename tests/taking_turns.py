"""Which tests may run side by side (pytest-xdist), and in what state the machine is before them.

`.ci/run` has three runs. In the first, tests of one file stay on one worker, and those that start
the program itself, which takes its usual ports, stay together, and so do those of PyTorch, which
share datasets and exported packs. In the second are the tests that
start a sound server (marked `sound`) and mostly wait; those of JACK stay together, as its servers
share a lock, which a server that was stopped may keep. In the third are the tests that listen for
dropouts or measure times; they are marked `alone` and have the machine to themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sound_servers import forget_dead_jacks

ROOT = Path(__file__).resolve().parent
_SOUND = {"pulse", "jack"}  # fixtures that start a sound server
_PYTORCH = {"training", "export"}  # folders
# Files of tests/attacca that start no program which takes its usual ports.
_NO_PORTS = {
    "test_doctor_devices_bench.py", "test_osc_layouts.py", "test_packs_show.py",
    "test_public_names.py", "test_render_verb.py", "test_terminal_view.py",
}  # fmt: skip


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
        takes_ports = place[0] == "attacca" and place[-1] not in _NO_PORTS
        group = "program" if takes_ports else "/".join(place)
        if place[0] in _PYTORCH:
            group = "torch"
        if "jack" in servers:
            group = "jack"
        item.add_marker(pytest.mark.xdist_group(group))
