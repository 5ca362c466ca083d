"""The PortAudio library of this process: its output devices, and how to close it.

PortAudio has one state for the whole process and is not thread-safe. Looking for new devices ends
every open stream, and any call may block for ever if a sound server has stopped. Therefore every
call runs in a separate thread with a time limit (see `library_thread`); any thread may use a
`PortAudio`.

sounddevice, and with it the system's PortAudio library, is loaded at first use.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.audio.library_thread import LibraryThread
from engine.errors import DeviceError
from engine.time.clock import Event

__all__ = ["COMMON_RATES", "DEFAULT", "JACK", "DeviceInfo", "PortAudio", "one_line"]

T = TypeVar("T")
DEFAULT = "default"
COMMON_RATES = (22050, 44100, 48000, 88200, 96000)
JACK = "JACK Audio Connection Kit"

_INSTALL = (
    "install it: `sudo apt-get install libportaudio2 libasound2-plugins` (Debian, Ubuntu), "
    "`sudo dnf install portaudio` (Fedora), `brew install portaudio` (macOS)"
)
_OPEN_LIMIT_S = 10.0  # to look for devices or open one: a sound server may have to start first
_CLOSE_LIMIT_S = 0.5  # a server that answers takes a tenth of it


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One output device as PortAudio reports it.

    Attributes
    ----------
    name, host_api : str
    channels : int
        Most output channels.
    default_rate : int
        Frames per second.
    rates : tuple of int
        The requested rates that the device supports.
    latency_s : float
        Lowest latency in seconds that the driver reports.
    default : bool
        Whether it is the default device of the system.
    index : int
        PortAudio's number, valid until the next scan only; never store it.
    """

    name: str
    host_api: str
    channels: int
    default_rate: int
    rates: tuple[int, ...]
    latency_s: float
    default: bool
    index: int

    @property
    def label(self) -> str:
        """`name (host api)`; `find` accepts it too."""
        return f"{self.name} ({self.host_api})"


class PortAudio:
    """The PortAudio library of this process.

    Parameters
    ----------
    importer : callable, optional
        Imports a module by name.
    ending : Event, optional
        Ends every wait for a device early, when playing ends.
    open_limit_s, close_limit_s : float
        Seconds that opening and closing may take.
    """

    def __init__(
        self,
        importer: Callable[[str], Any] = importlib.import_module,
        *,
        ending: Event | None = None,
        open_limit_s: float = _OPEN_LIMIT_S,
        close_limit_s: float = _CLOSE_LIMIT_S,
    ) -> None:
        self._importer = importer
        self._module: Any = None
        self._thread = LibraryThread("attacca-portaudio")
        self._endings = (ending,) if ending is not None else ()
        self._open_limit_s, self._close_limit_s = open_limit_s, close_limit_s
        self._stderr: int | None = None  # a copy, while PortAudio starts
        self._stderr_lock = threading.Lock()

    def call(self, function: Callable[[], T], what: str, *endings: Event) -> T:
        """Run `function` in PortAudio's thread and return its result.

        `what` describes the call in an error; `endings` end the wait early.

        Raises
        ------
        DeviceError
            The sound system does not answer, or `function` raises.
        """
        try:
            return self._thread.call(function, what, self._open_limit_s, *self._endings, *endings)
        except BaseException:
            self._restore_stderr()
            raise

    def finish(self, function: Callable[[], object], limit_s: float | None = None) -> bool:
        """Run `function`, which closes something, as soon as the sound system answers.

        Returns whether it returned in time.
        """
        return self._thread.finish(function, self._close_limit_s if limit_s is None else limit_s)

    @property
    def module(self) -> Any:
        """The `sounddevice` module, loaded at first use.

        Raises
        ------
        DeviceError
            sounddevice or the PortAudio library is missing, or the sound system does not answer.
        """
        return self.call(self._load, "loading PortAudio")

    def _load(self) -> Any:
        if self._module is None:
            try:
                with self._preserved_stderr():
                    self._module = self._importer("sounddevice")
                atexit.register(self._at_exit)
            except ImportError as error:
                raise DeviceError(
                    "the package 'sounddevice' is missing; install it: `pip install sounddevice`"
                ) from error
            except OSError as error:
                raise DeviceError(f"the PortAudio library is missing; {_INSTALL}") from error
        return self._module

    def outputs(self, rates: Sequence[int] = ()) -> tuple[DeviceInfo, ...]:
        """The output devices of the last scan.

        Parameters
        ----------
        rates : sequence of int
            Rates to test on each device; every test opens the device briefly.

        Raises
        ------
        DeviceError
            PortAudio is missing, does not start, or does not answer.
        """
        return self.call(lambda: self._outputs(rates), "looking for sound devices")

    def _outputs(self, rates: Sequence[int]) -> tuple[DeviceInfo, ...]:
        sd = self._load()
        if not sd._initialized:  # another PortAudio object of this process has closed it
            self._rescan()
        apis = sd.query_hostapis()
        chosen: int = sd.default.device[1]
        found = [
            DeviceInfo(
                name=str(raw["name"]),
                host_api=str(apis[raw["hostapi"]]["name"]),
                channels=int(raw["max_output_channels"]),
                default_rate=round(raw["default_samplerate"]),
                rates=tuple(rate for rate in rates if self._supports(index, rate)),
                latency_s=float(raw["default_low_output_latency"]),
                default=index == chosen,
                index=index,
            )
            for index, raw in enumerate(sd.query_devices())
            if raw["max_output_channels"] > 0
        ]
        return tuple(found)

    def find(self, name: str = DEFAULT) -> DeviceInfo:
        """The output device of this name.

        Parameters
        ----------
        name : str
            `default`, a whole name, or a unique part of one; case does not matter.

        Raises
        ------
        DeviceError
            There is no device, none of that name, or several.
        """
        devices = self.outputs()
        if not devices:
            raise DeviceError(
                "there is no sound output device; start a sound server (PipeWire, PulseAudio, "
                "JACK) or plug in a sound card, and check with `attacca devices`"
            )
        wanted = name.strip().casefold()
        if wanted in ("", DEFAULT):
            return next((d for d in devices if d.default), devices[0])
        exact = [d for d in devices if wanted in (d.name.casefold(), d.label.casefold())]
        found = exact or [d for d in devices if wanted in d.label.casefold()]
        if not found:
            raise DeviceError(
                f"there is no sound device {name!r}; choose one of {_listed(devices)}, or "
                f"{DEFAULT!r}"
            )
        if len(found) > 1:
            # Several host APIs may show one device: the system's default API decides.
            own = [d for d in found if d.default]
            if len(own) != 1:
                raise DeviceError(f"{name!r} matches {_listed(found)}; use more of the name")
            found = own
        return found[0]

    def rescan(self) -> None:
        """Look for devices again. It ends every stream of the process: close them first.

        Raises
        ------
        DeviceError
            PortAudio does not start, or does not answer.
        """
        self.call(self._rescan, "looking for sound devices")

    def _rescan(self) -> None:
        sd = self._load()
        if self._jack_is_dead():
            raise DeviceError(
                "the JACK server has stopped, and PortAudio cannot disconnect from it; restart "
                "JACK, then attacca"
            )
        try:
            self._terminate()
            with self._preserved_stderr():
                sd._initialize()
        except sd.PortAudioError as error:
            raise DeviceError(f"cannot look for sound devices: {one_line(error)}") from error

    def close(self) -> bool:
        """Disconnect from all sound servers; `rescan` connects again. Close the streams first.

        Returns whether it is done: a sound server may not answer.
        """
        done = self.finish(self._terminate)
        self._thread.end()
        return done

    @contextlib.contextmanager
    def _preserved_stderr(self) -> Generator[None]:
        """Keep a copy of standard error: sounddevice redirects it while PortAudio starts."""
        with self._stderr_lock, contextlib.suppress(OSError):  # it may be closed
            self._stderr = os.dup(2)
        try:
            yield
        finally:
            with self._stderr_lock:
                copy, self._stderr = self._stderr, None
                if copy is not None:
                    os.close(copy)

    def _restore_stderr(self) -> None:
        """Restore standard error after a timeout, so that the error can be shown."""
        with self._stderr_lock:
            if self._stderr is not None:
                os.dup2(self._stderr, 2)

    def __enter__(self) -> PortAudio:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _terminate(self) -> None:
        if self._module is None or self._jack_is_dead():
            return
        while self._module._initialized:
            self._module._terminate()

    def _jack_is_dead(self) -> bool:
        """Whether PortAudio is connected to a JACK server that has stopped.

        Then Pa_Terminate fails an assertion, which kills the process (PortAudio 19.6 and 19.7,
        pa_jack.c); opening a stream on it only returns an error.
        """
        sd = self._module
        if not sd._initialized:
            return False
        jack = next((api for api in sd.query_hostapis() if api["name"] == JACK), None)
        if jack is None or jack["default_output_device"] < 0:
            return False
        try:
            sd._StreamBase("output", device=jack["default_output_device"], dtype="float32").close()
        except sd.PortAudioError:
            return True
        return False

    def _at_exit(self) -> None:
        """Close PortAudio with a time limit, before sounddevice does it without one."""
        if self._module._initialized:
            with contextlib.suppress(RuntimeError):  # threads can no longer start
                self.close()
            self._module._initialized = 0

    def _supports(self, index: int, rate: int) -> bool:
        sd = self._module
        try:
            sd.check_output_settings(index, samplerate=rate, dtype="float32")
        except (sd.PortAudioError, ValueError):
            return False
        return True


def _listed(devices: Sequence[DeviceInfo]) -> str:
    return ", ".join(repr(d.label) for d in devices)


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())
