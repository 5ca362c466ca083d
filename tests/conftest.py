"""Fixtures shared by all tests: sound servers without a sound card."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sound_servers import (
    JACK_PROGRAMS,
    PULSE_PROGRAMS,
    JackServer,
    PulseServer,
    jack_server,
    missing,
    pulse_server,
)
from taking_turns import (  # noqa: F401 (pytest finds the hooks here)
    pytest_collection_modifyitems,
    pytest_sessionstart,
)
from tiny_pack import TINY

from engine.controls.settings import Settings
from engine.instrument import Instrument

# Programs in tests get signals as in a terminal, whatever started the tests: a background job
# ignores SIGINT, `nohup` SIGHUP, and children inherit that.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# A busy machine is slow, not wrong.
settings.register_profile("attacca", deadline=None)
settings.load_profile("attacca")


def _need(programs: tuple[str, ...]) -> None:
    """Skip where a sound server is not installed; on CI its absence is a failure."""
    if absent := missing(programs):
        text = f"not installed: {', '.join(absent)}; './run test' installs it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)


@pytest.fixture(scope="session", autouse=True)
def _own_user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Presets, recordings and verdicts of tests stay out of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("user")))
        yield


@pytest.fixture(autouse=True)
def _subnormal_floats() -> Iterator[None]:
    """Training and ONNX Runtime turn subnormal floats off for a thread that other tests share."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)
    elif sys.platform == "linux":
        ctypes.CDLL(None).fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV: the default environment


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte that tests can fill up."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a disk here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture(scope="module")
def instrument() -> Iterator[Instrument]:
    """Playing into nothing, at the pace of a sound card."""
    with Instrument(TINY, latency=1.0, threads=1) as made:
        made.play(None)
        made.wait_for_sound()
        yield made


@pytest.fixture(scope="module")
def at_first(instrument: Instrument) -> Settings:
    """The controls before any test has turned one."""
    return instrument.settings


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[PulseServer]:
    """A PulseAudio of the test's own, with the null sink `ci`."""
    _need(PULSE_PROGRAMS)
    folder = tmp_path / "pulse"
    folder.mkdir()
    with pulse_server(folder) as server:
        yield server


@pytest.fixture
def jack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[JackServer]:
    """A JACK of the test's own, with the dummy driver at 48 kHz and 256 frames.

    Parametrised indirectly, it has another period and rate.
    """
    _need(JACK_PROGRAMS)
    period, rate = getattr(request, "param", (256, 48000))
    folder = tmp_path / "jack"
    folder.mkdir()
    with jack_server(folder, period, rate) as server:
        yield server
