"""Nothing leaves this machine, and nothing is written outside of the program's own folders.

Each program runs under strace, with an empty home and none of the variables by which libraries tell
a continuous integration from a user.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "packs" / "tiny"
PORTS = ("--osc-port", "19421", "--oscquery-port", "19422")
_CALLS = (
    "connect,sendto,sendmsg,sendmmsg,setsockopt,open,openat,openat2,creat,mkdir,mkdirat,rename,"
    "renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat"
)
_ZEROCONF = {"224.0.0.251", "ff02::fb"}

pytestmark = [pytest.mark.slow]


@dataclass(frozen=True)
class Traced:
    """What a program did."""

    home: Path
    calls: tuple[str, ...]
    output: str
    status: int

    @property
    def reached(self) -> set[str]:
        """Addresses, those of this machine apart."""
        found = set()
        for call in self.calls:
            for text in re.findall(r'inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"', call):
                if "setsockopt" not in call and not ipaddress.ip_address(text).is_loopback:
                    found.add(text)
        return found

    @property
    def announced_on(self) -> set[str]:
        """Addresses of the interfaces by which multicast goes out."""
        chosen = [c for c in self.calls if "IP_MULTICAST_IF" in c]
        return {a for c in chosen for a in re.findall(r"inet_addr\(\"([^\"]+)\"|\"(\\[^\"]+)\"", c)}

    @property
    def changed(self) -> set[Path]:
        """Paths that were written, created, moved or removed."""
        found = set()
        for call in self.calls:
            name = call.partition("(")[0]
            if call.rstrip().endswith(")") and " = -1 " in call:
                continue
            opened = name in ("open", "openat", "openat2")
            if opened and not re.search("O_WRONLY|O_RDWR|O_CREAT", call):
                continue
            if opened or name in ("creat", "mkdir", "mkdirat") or re.match("rename|.*link", name):
                found |= {Path(p) for p in re.findall(r'"(/[^"]*)"', call)}
        return found


def traced(home: Path, command: Sequence[object], seconds: float = 0.0, **more: str) -> Traced:
    """Run to the end, or so long and then end it."""
    if shutil.which("strace") is None:
        text = "strace is not installed; './run test' installs it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    log = home.parent / f"{home.name}.trace"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more,
    }  # fmt: skip
    process = subprocess.Popen(
        ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", f"trace={_CALLS}",
         "-o", str(log), *map(str, command)],
        cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output = process.communicate(timeout=seconds or 100)[0]
    except subprocess.TimeoutExpired:
        # Not SIGINT, which stays ignored in what a background job of a shell starts.
        os.killpg(process.pid, signal.SIGTERM)
        output = process.communicate(timeout=30)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    calls = tuple(line.partition(" ")[2].strip() for line in log.read_text().splitlines())
    return Traced(home, calls, output, process.returncode)


def attacca(*arguments: object) -> list[object]:
    return [sys.executable, "-P", "-m", "attacca", *arguments]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def outside(run: Traced, *allowed: Path) -> set[Path]:
    """What was changed, without the allowed paths, devices and temporary files."""
    own = (*allowed, Path("/dev"), Path("/proc/self"))

    def may(path: Path) -> bool:
        if any(path.is_relative_to(a) or a.is_relative_to(path) for a in own):
            return True
        return path.is_relative_to(tempfile.gettempdir()) and not path.is_relative_to(run.home)

    return {path for path in run.changed if not may(path)}


def test_the_test_sees_what_leaves_and_what_is_written(home):
    """So that the tests below can fail."""
    code = (
        "import pathlib, socket; pathlib.Path.home().joinpath('left').mkdir();"
        "p = pathlib.Path('/var/tmp/attacca-test'); p.open('w').close(); p.unlink();"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9));"
    )
    run = traced(home, [sys.executable, "-c", code])
    assert run.reached == {"192.0.2.1"}
    assert outside(run) == {home / "left", Path("/var/tmp/attacca-test")}


def test_render_stays_at_home(home):
    run = traced(home, attacca("render", "--pack", TINY, "--seconds", 1, home / "a.flac"))
    assert run.status == 0, run.output
    assert run.reached == set()
    assert outside(run, home / "a.flac") == set()
    assert [p.name for p in home.iterdir()] == ["a.flac"]


def test_play_stays_at_home_and_is_announced_on_loopback_alone(home):
    run = traced(home, attacca("play", "--pack", TINY, "--device", "none", "--duration", 3, *PORTS))
    assert run.status == 0, run.output
    assert run.reached <= _ZEROCONF
    assert run.announced_on <= {("127.0.0.1", ""), ("", r"\177\0\0\1")}
    assert outside(run, home / ".local" / "share" / "attacca") == set()


def test_self_test_and_doctor_stay_at_home(home):
    # PulseAudio's library, which the system's ALSA loads to list devices, makes a folder.
    for arguments in (("packs", TINY, "--test"), ("doctor",)):
        run = traced(home, attacca(*arguments))
        assert run.reached == set(), arguments
        assert outside(run, home / ".config" / "pulse") == set(), arguments


def test_the_window_stays_at_home(home):
    pytest.importorskip("PyQt6", reason="the gui extra is not installed")
    run = traced(
        home, attacca("gui", "--pack", TINY, "--device", "none", "--osc-port", 19423),
        seconds=6, QT_QPA_PLATFORM="offscreen",
    )  # fmt: skip
    assert run.reached == set()
    own = [home / ".local" / "share" / "attacca", home / ".config" / "attacca"]
    assert outside(run, *own) == set()


@pytest.mark.torch
def test_export_stays_at_home(home):
    torch = pytest.importorskip("torch", reason="the export extra is not installed")
    from export.wrap import Denoiser
    from training.nets.unet import UNet
    from training.recipes.spectrogram import SPECTROGRAM

    preset = SPECTROGRAM["spectrogram-tiny"]
    torch.save(
        {
            "network": json.dumps(preset.network.as_dict()),
            "ema": Denoiser(UNet(preset.network)).state_dict(),
            "spectrogram": json.dumps(asdict(preset.spectrogram)),
            "mean": torch.zeros(preset.network.bins), "scale": 1.3,
            "preset": "spectrogram-tiny", "samples": 1, "seconds": 1.0,
        },
        home.parent / "checkpoint.pt",
    )  # fmt: skip
    command = [sys.executable, "-P", "-m", "export", home.parent / "checkpoint.pt"]
    run = traced(
        home,
        [
            *command,
            "--out",
            home / "small",
            "--title",
            "Small",
            "--licence",
            "CC0-1.0",
            "--credit",
            "CC0",
        ],
    )
    assert run.status == 0, run.output
    assert run.reached == set()
    assert outside(run, home / "small") == set()
