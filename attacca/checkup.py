"""The checks of `attacca doctor`: one function per check, each with the command that fixes it.

Main thread. A check returns one line and changes nothing. It reads the machine through a `Machine`,
so a test can pass another one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from engine.errors import AttaccaError

__all__ = ["CHECKS", "Finding", "Machine", "examine"]

State = Literal["ok", "warn", "fail"]
_PYTHONS = ((3, 11), (3, 15))  # from the first, before the second
_LIBRARIES = ("numpy", "scipy", "onnxruntime", "sounddevice", "cffi", "soxr", "soundfile", "rich")
_ALSA_FOLDERS = (
    "/usr/lib/alsa-lib", "/usr/lib64/alsa-lib", "/usr/local/lib/alsa-lib",
    "/run/current-system/sw/lib/alsa-lib",
)  # fmt: skip
_ALSA_BRIDGES = {
    "libasound_module_pcm_pipewire.so": "PipeWire",
    "libasound_module_pcm_pulse.so": "PulseAudio",
    "libasound_module_pcm_jack.so": "JACK",
}
_SERVERS = {
    "linux": "systemctl --user start pipewire pipewire-pulse wireplumber (or pulseaudio --start); "
    "without a desktop, plug in a card and join its group: sudo usermod -aG audio $USER"
}
_ANY_SERVER = "plug in a sound card, or choose an output in the system's sound settings"


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` is a command or advice, empty if all is well."""

    name: str
    state: State
    text: str
    fix: str = ""


def _environment() -> Mapping[str, str]:
    return os.environ


def _alsa_folders() -> tuple[Path, ...]:
    multiarch = sorted(Path("/usr/lib").glob("*/alsa-lib")) if Path("/usr/lib").is_dir() else []
    return (*map(Path, _ALSA_FOLDERS), *multiarch)


@dataclass(frozen=True)
class Machine:
    """The machine as the checks see it."""

    system: str = sys.platform
    python: tuple[int, int] = (sys.version_info[0], sys.version_info[1])
    environment: Mapping[str, str] = field(default_factory=_environment)
    folder: Path = Path()
    alsa: tuple[Path, ...] = field(default_factory=_alsa_folders)
    has_library: Callable[[str], bool] = lambda name: find_spec(name) is not None


def _python(m: Machine) -> Finding:
    text = ".".join(map(str, m.python))
    low, high = _PYTHONS
    if low <= m.python < high:
        return Finding("python", "ok", text)
    fix = "install Python 3.11 to 3.14 (`uv python install 3.12`)"
    return Finding("python", "fail", f"{text} is not supported", fix)


def _libraries(m: Machine) -> Finding:
    missing = [name for name in _LIBRARIES if not m.has_library(name)]
    if not missing:
        return Finding("libraries", "ok", ", ".join(_LIBRARIES))
    return Finding(
        "libraries", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
    )


def _portaudio(m: Machine) -> Finding:
    from engine.audio.portaudio import PortAudio

    with PortAudio() as portaudio:
        version = portaudio.module.get_portaudio_version()[1]
    return Finding("portaudio", "ok", version.split(",")[0])


def _devices(m: Machine) -> Finding:
    from engine.audio.portaudio import PortAudio

    with PortAudio() as portaudio:
        count = len(portaudio.outputs())
        if not count:
            fix = _SERVERS.get(m.system, _ANY_SERVER)
            return Finding("sound devices", "fail", "none found", fix)
        label = portaudio.find().label
    return Finding("sound devices", "ok", f"{count} found, the default is {label}")


def _alsa_bridge(m: Machine) -> Finding | None:
    """On Linux, PortAudio reaches the desktop's sound server through a plugin of ALSA."""
    if not m.system.startswith("linux"):
        return None
    found = [
        server
        for file, server in _ALSA_BRIDGES.items()
        if any((f / file).is_file() for f in m.alsa)
    ]
    server = _sound_server(m)
    if server in found or (server is None and found):
        return Finding("alsa bridge", "ok", f"ALSA reaches {', '.join(found)}")
    package = "libasound2-plugins" if server in (None, "PulseAudio", "JACK") else "pipewire-alsa"
    fix = f"sudo apt-get install {package}"
    if server is None:
        return Finding("alsa bridge", "warn", "ALSA reaches no sound server, only hardware", fix)
    if server == "PipeWire" and "PulseAudio" in found:
        return Finding("alsa bridge", "ok", "ALSA reaches PipeWire as PulseAudio")
    return Finding("alsa bridge", "fail", f"{server} runs, but ALSA does not reach it", fix)


def _sound_server(m: Machine) -> str | None:
    runtime = Path(m.environment.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if _exists(runtime / "pipewire-0"):
        return "PipeWire"
    if m.environment.get("PULSE_SERVER") or _exists(runtime / "pulse" / "native"):
        return "PulseAudio"
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # another user's folder, after `sudo -u`
        return False


def _callback(m: Machine) -> Finding:
    from engine.audio import native

    library = native.load()
    return Finding("audio callback", "ok", f"{library.path.name} ({library.hash[:12]})")


def _onnxruntime(m: Machine) -> Finding:
    from engine.execution.targets import offered_targets
    from engine.onnx_runtime import library

    targets = ", ".join(target.name for target in offered_targets())
    return Finding("onnxruntime", "ok", f"{library().__version__}, targets: {targets}")


def _cores(m: Machine) -> Finding:
    from engine.cores import usable_cores

    count = usable_cores()
    if count > 1:
        return Finding("cores", "ok", f"{count}")
    return Finding(
        "cores", "warn", "1: generation and audio share it",
        "play with fewer steps; `attacca bench` measures how many",
    )  # fmt: skip


def _realtime(m: Machine) -> Finding | None:
    if not m.system.startswith("linux"):
        return None
    from engine.audio.priority import raised_priority

    with raised_priority() as allowed:
        if allowed:
            return Finding("real time", "ok", "the mixer can use SCHED_FIFO")
    return Finding(
        "real time", "warn",
            "no permission for real-time scheduling: xruns are more likely under load",
        "echo '@audio - rtprio 95' | sudo tee /etc/security/limits.d/audio.conf; "
        "sudo usermod -aG audio $USER; log in again",
    )  # fmt: skip


def _packs(m: Machine) -> Iterable[Finding]:
    from attacca.pack import Pack
    from engine.packs.discovery import DEFAULT, find_pack, installed_packs

    packs = installed_packs(m.environment)
    if not packs:
        find_pack(DEFAULT, m.environment)  # raises with the folders that were searched
    for name, folder in packs.items():
        label = f"pack {name}"
        try:
            pack = Pack.open(folder)
            pack.verify()
        except AttaccaError as error:
            yield Finding(label, "fail", str(error), f"reinstall {name}")
        else:
            yield Finding(label, "ok", f"{pack.manifest.version}, every file verified")


def _folder(m: Machine) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=m.folder):
            free = shutil.disk_usage(m.folder).free / 1e9
            return Finding("this folder", "ok", f"writable, {free:.0f} GB free")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        text = f"{_name_of(m.folder)} is not writable ({reason}), so the key r cannot record"
        return Finding("this folder", "warn", text, "start Attacca in a folder where you can write")


def _name_of(folder: Path) -> Path:
    try:
        return folder.absolute()
    except OSError:  # the current folder has been deleted
        return folder


def _terminal(m: Machine) -> Finding:
    if not sys.stdout.isatty():
        return Finding("terminal", "ok", "none: status as plain lines")
    if m.environment.get("TERM") in (None, "", "dumb") and m.system != "win32":
        text = "TERM is not set: status as plain lines"
        return Finding("terminal", "warn", text, "export TERM=xterm-256color")
    encoding = (sys.stdout.encoding or "").lower()
    if "utf" not in encoding:
        return Finding(
            "terminal", "warn", f"encoding {encoding}: plain meters", "export LANG=C.UTF-8"
        )
    size = shutil.get_terminal_size()
    return Finding("terminal", "ok", f"{size.columns} x {size.lines}, {encoding}")


Check = Callable[[Machine], "Finding | Iterable[Finding] | None"]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", _python),
    ("libraries", _libraries),
    ("portaudio", _portaudio),
    ("sound devices", _devices),
    ("alsa bridge", _alsa_bridge),
    ("audio callback", _callback),
    ("onnxruntime", _onnxruntime),
    ("cores", _cores),
    ("real time", _realtime),
    ("packs", _packs),
    ("this folder", _folder),
    ("terminal", _terminal),
)


def examine(machine: Machine) -> Iterable[Finding]:
    """Run the checks in order, lazily. A check that raises has failed with that error."""
    for name, check in CHECKS:
        try:
            found = check(machine)
            if found is None:
                continue
            yield from (found,) if isinstance(found, Finding) else found
        except (AttaccaError, ImportError, OSError) as error:
            text, _, fix = " ".join(str(error).split()).partition("; ")
            yield Finding(name, "fail", text, fix)
