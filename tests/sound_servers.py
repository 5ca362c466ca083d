"""Sound servers without a sound card, for tests: PulseAudio with a null sink, JACK with a dummy.

Context managers that start a server of their own, point this process's environment at it (the
client libraries read it when PortAudio scans), and take everything down again. What was heard comes
back as `ndarray [shape=(frames, 2)] float32` at 48 kHz.

Debian packages: pulseaudio pulseaudio-utils libasound2-plugins libportaudio2 jackd2 jack-capture
rt-tests.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

RATE = 48000
PULSE_PROGRAMS = ("pulseaudio", "pacat", "parec", "pactl")
JACK_PROGRAMS = ("jackd", "jack_lsp", "jack_capture")


def missing(programs: tuple[str, ...]) -> list[str]:
    """Those of the programs that are not installed."""
    return [name for name in programs if shutil.which(name) is None]


class PulseServer:
    """A PulseAudio daemon with one null sink, `ci`; `kill` makes it vanish."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "p.sock"
        self.env = os.environ | {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{self.socket}",
            "HOME": str(folder),
        }
        self._daemon: subprocess.Popen[bytes] | None = None
        self._keep_alive: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--disable-shm=yes"]
        command += ["-L", f"module-native-protocol-unix socket={self.socket} auth-anonymous=1"]
        command += ["-L", "module-null-sink sink_name=ci rate=48000 format=float32le channels=2"]
        self._daemon = _started(command, self.env)
        _wait_until(lambda: self.pactl("info").returncode == 0, "PulseAudio answers")
        # A sink that nobody plays to is suspended and takes a second to wake.
        keep = ["pacat", "-p", "--raw", "--latency-msec=10", "/dev/zero"]
        self._keep_alive = _started(keep, self.env)

    def kill(self) -> None:
        """End the daemon as a crash would."""
        for process in (self._daemon, self._keep_alive):
            _ended(process, signal.SIGKILL)
        self._daemon = self._keep_alive = None

    def hang(self) -> None:
        """Stop the daemon in mid-run: it is there and answers nothing."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def pactl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *arguments], env=self.env, capture_output=True, text=True, timeout=10
        )

    @contextlib.contextmanager
    def recording(self) -> Iterator[Callable[[], np.ndarray]]:
        """Record the sink's monitor; the yielded function, called after the block, gives it."""
        path = self.folder / f"monitor-{time.monotonic_ns()}.f32"
        command = ["parec", "-d", "ci.monitor", "--format=float32le", "--rate=48000", "--raw"]
        with path.open("wb") as file:
            process = _started([*command, "--latency-msec=20"], self.env, stdout=file)
            try:
                _wait_until(lambda: path.stat().st_size > 0, "the monitor gives frames")
                yield lambda: np.fromfile(path, np.float32).reshape(-1, 2)
            finally:
                _ended(process, signal.SIGTERM)


_NUMBERS = itertools.count()  # no daemon takes the name of one that is still ending


class JackServer:
    """A JACK daemon with the dummy driver; `kill` makes it vanish, `hang` stops it."""

    def __init__(self, folder: Path, period: int = 256, rate: int = RATE) -> None:
        self.folder = folder
        self.period, self.rate = period, rate
        self.name = f"attacca-{os.getpid()}-{next(_NUMBERS)}"
        self.env = os.environ | {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon; TimeoutError, and none left running, when it does not answer."""
        command = ["jackd", "-R", "-P", "70", "-n", self.name, "-d", "dummy"]
        command += ["-r", str(self.rate), "-p", str(self.period), "-C", "2", "-P", "2"]
        self._daemon = _started(command, self.env)
        try:
            _wait_until(lambda: "system:playback_1" in self.ports(), "JACK answers", 30.0)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the daemon as a crash would."""
        _ended(self._daemon, signal.SIGKILL)
        self._daemon = None

    def hang(self) -> None:
        """Stop the daemon in mid-run: it is there and answers nothing."""
        assert self._daemon is not None
        # Until it has let its last client go: stopped within that, it would keep a lock that all
        # JACK servers of the machine share.
        time.sleep(0.3)
        self._daemon.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGCONT)
        _ended(self._daemon, signal.SIGTERM)
        self._daemon = None

    @property
    def pid(self) -> int:
        """Process number of the daemon."""
        assert self._daemon is not None
        return self._daemon.pid

    def set_period(self, frames: int) -> None:
        """Change the period while it runs."""
        subprocess.run(["jack_bufsize", str(frames)], env=self.env, check=True, timeout=10)

    def ports(self, *arguments: str) -> str:
        done = subprocess.run(
            ["jack_lsp", *arguments], env=self.env, capture_output=True, text=True, timeout=10
        )
        return done.stdout

    @contextlib.contextmanager
    def recording(self) -> Iterator[Callable[[], np.ndarray]]:
        """Record what goes to the playback ports; begin it after the stream has started."""
        import soundfile

        path = self.folder / f"capture-{time.monotonic_ns()}.wav"
        command = ["jack_capture", "--no-stdin", "--hide-buffer-usage", "-f", "wav", "-b", "FLOAT"]
        command += ["-p", "system:playback_1", "-p", "system:playback_2", str(path)]
        process = _started(command, self.env)
        try:
            _wait_until(lambda: "jack_capture" in self.ports(), "jack_capture listens")
            yield lambda: soundfile.read(path, dtype="float32", always_2d=True)[0]
        finally:
            _ended(process, signal.SIGINT)


@contextlib.contextmanager
def pulse_server(folder: Path) -> Iterator[PulseServer]:
    """A running PulseAudio that this process's PortAudio finds at its next scan."""
    folder.chmod(0o700)
    server = PulseServer(folder)
    server.start()
    try:
        with _environment(server.env, "XDG_RUNTIME_DIR", "PULSE_SERVER", "HOME"):
            yield server
    finally:
        server.kill()


@contextlib.contextmanager
def jack_server(folder: Path, period: int = 256, rate: int = RATE) -> Iterator[JackServer]:
    """A running JACK that this process's PortAudio finds at its next scan."""
    server = JackServer(folder, period, rate)
    server.start()
    try:
        with _environment(server.env, "JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
            yield server
    finally:
        server.close()


def alsa_over_jack(folder: Path) -> dict[str, str]:
    """Environment in which ALSA has the device `overjack`: its jack plugin (libasound2-plugins)."""
    file = folder / "alsa.conf"
    ports = "{ 0 system:%s_1 1 system:%s_2 }"
    file.write_text(
        "</usr/share/alsa/alsa.conf>\npcm.overjack {\n  type jack\n"
        f"  playback_ports {ports.replace('%s', 'playback')}\n"
        f"  capture_ports {ports.replace('%s', 'capture')}\n}}\n"
    )
    return {"ALSA_CONFIG_PATH": str(file)}


def machine_floor(seconds: float, period_s: float) -> int:
    """How often a real-time thread of the machine itself is late by more than a period.

    Measured with cyclictest (rt-tests) over `seconds`; 0 where it is not installed or not allowed.
    """
    if shutil.which("cyclictest") is None:
        return 0
    interval = max(100, round(period_s * 1e6))
    command = ["cyclictest", "-q", "-t1", "-p69", f"-i{interval}", f"-D{max(1, round(seconds))}"]
    command += ["-h", "100000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 20)
    late = 0
    for line in done.stdout.splitlines():
        parts = line.split()
        if len(parts) == 2 and parts[0].isdigit() and int(parts[0]) > interval:
            late += int(parts[1])
        if line.startswith("# Histogram Overflows:"):
            late += int(parts[-1])
    return late


def forget_dead_jacks() -> None:
    """Clear what killed JACK daemons left in shared memory, before anything here uses JACK.

    Its registry holds eight servers ("Too many servers already active") and keeps the entry of a
    killed one for as long as any process has that number. A process that has used JACK keeps the
    registry that it found: while there is one, it must stay.
    """
    left = list(Path("/dev/shm").glob("jack*"))
    if left and not any(_maps(process, left) for process in Path("/proc").glob("[0-9]*")):
        for one in left:
            with contextlib.suppress(OSError):
                one.unlink()


def _maps(process: Path, files: list[Path]) -> bool:
    """Whether a process has one of the files in its memory."""
    try:
        mapped = (process / "maps").read_text()
    except OSError:  # it has ended, or is another user's
        return False
    return any(f"{file}\n" in mapped for file in files)


@contextlib.contextmanager
def _environment(env: dict[str, str], *names: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: env[name] for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _started(command: list[str], env: dict[str, str], stdout=subprocess.DEVNULL):
    return subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL
    )


def _ended(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None:
        return
    process.send_signal(how)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until(true: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(0.05)
