"""Output devices: listed, opened by name, missed when they vanish, and taken again.

PortAudio has one state for the whole process, and looking for new devices ends every open stream:
so one thread owns the `PortAudio` object and every `OutputDevice` made with it (the main thread, or
the `DeviceWatch` while one runs). Sound never passes through here: PortAudio's own thread calls
the C callback, which reads the ring.

sounddevice (and so the system's PortAudio library) is loaded at first use.
"""

from __future__ import annotations

import atexit
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.audio.clock import Clock
from engine.audio.priority import raised_priority
from engine.audio.ring import OutputRing
from engine.errors import DeviceError

__all__ = ["COMMON_RATES", "DEFAULT", "DeviceInfo", "OutputDevice", "PortAudio"]

DEFAULT = "default"
COMMON_RATES = (22050, 44100, 48000, 88200, 96000)

# Latency asked of PortAudio where its own "low" is of no use: PulseAudio and PipeWire behind ALSA
# make gaps now and then at 9 to 11 ms and none at 50 ms; JACK's is the server's own affair.
_JACK = "JACK Audio Connection Kit"
_LATENCY_S = {"ALSA": 0.05, _JACK: 0.0}
_CURE = (
    "install it: `sudo apt-get install libportaudio2 libasound2-plugins` (Debian, Ubuntu), "
    "`sudo dnf install portaudio` (Fedora), `brew install portaudio` (macOS)"
)
# Time without a call after which a device is taken for gone. PulseAudio fills its buffer and may
# then stand still for a second before it plays.
_START_PATIENCE_S = 2.0
_PATIENCE_S = 0.7
_SETTLE = 2.0  # of a device's latency: silence while it fills its buffer at the start


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One output device as PortAudio sees it now.

    Attributes
    ----------
    name, host_api : str
    channels : int
        Most output channels.
    default_rate : int
        Frames per second.
    rates : tuple of int
        Those of `COMMON_RATES` that it takes; empty when not asked for.
    latency_s : float
        Lowest latency it claims, seconds.
    default : bool
        Whether the system plays here by default.
    index : int
        PortAudio's number, good only until the next scan; never remember it.
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
        """`name (host api)`, which is also accepted as a name."""
        return f"{self.name} ({self.host_api})"


class PortAudio:
    """The PortAudio library of this process.

    Parameters
    ----------
    importer : callable, optional
        Imports a module by name (tests give another).
    """

    def __init__(self, importer: Callable[[str], Any] = importlib.import_module) -> None:
        self._importer = importer
        self._module: Any = None

    @property
    def module(self) -> Any:
        """The `sounddevice` module, loaded now if it was not.

        Raises
        ------
        DeviceError
            sounddevice or the PortAudio library is not installed; the message says how to.
        """
        if self._module is None:
            try:
                self._module = self._importer("sounddevice")
                atexit.register(self._leave)
            except ImportError as error:
                raise DeviceError(
                    "the package 'sounddevice' is missing; install it: `pip install sounddevice`"
                ) from error
            except OSError as error:
                raise DeviceError(f"the PortAudio library is missing; {_CURE}") from error
        return self._module

    def outputs(self, rates: Sequence[int] = ()) -> tuple[DeviceInfo, ...]:
        """Output devices known since the last scan.

        Parameters
        ----------
        rates : sequence of int
            Rates to try on each; each try opens the device for a moment.

        Raises
        ------
        DeviceError
            PortAudio is missing, or does not come up again.
        """
        sd = self.module
        if not sd._initialized:  # another PortAudio of this process was closed
            self.rescan()
        apis = sd.query_hostapis()
        chosen: int = sd.default.device[1]
        found = [
            DeviceInfo(
                name=str(raw["name"]),
                host_api=str(apis[raw["hostapi"]]["name"]),
                channels=int(raw["max_output_channels"]),
                default_rate=round(raw["default_samplerate"]),
                rates=tuple(rate for rate in rates if self._takes(index, rate)),
                latency_s=float(raw["default_low_output_latency"]),
                default=index == chosen,
                index=index,
            )
            for index, raw in enumerate(sd.query_devices())
            if raw["max_output_channels"] > 0
        ]
        return tuple(found)

    def find(self, name: str = DEFAULT) -> DeviceInfo:
        """The one output device that a name means.

        Parameters
        ----------
        name : str
            `default`, a whole name, or a part of one; case does not matter.

        Raises
        ------
        DeviceError
            No device, none of that name, or several; the message lists them.
        """
        devices = self.outputs()
        if not devices:
            raise DeviceError(
                "there is no sound output device; is a sound server (PipeWire, PulseAudio, JACK) "
                "running and a card plugged in? `attacca devices` lists what is found"
            )
        wanted = name.strip().casefold()
        if wanted in ("", DEFAULT):
            return next((d for d in devices if d.default), devices[0])
        exact = [d for d in devices if wanted in (d.name.casefold(), d.label.casefold())]
        found = exact or [d for d in devices if wanted in d.label.casefold()]
        if not found:
            raise DeviceError(
                f"no sound device is called {name!r}; there is: {_listed(devices)}; or say "
                f"{DEFAULT!r}"
            )
        if len(found) > 1:
            # Several host APIs may show one device: the system's own choice of API decides.
            own = [d for d in found if d.default]
            if len(own) != 1:
                raise DeviceError(f"{name!r} may mean {_listed(found)}; give more of the name")
            found = own
        return found[0]

    def rescan(self) -> None:
        """Look for devices anew. Ends every stream of the process: close them first.

        Raises
        ------
        DeviceError
            PortAudio does not come up again.
        """
        sd = self.module
        if self._jack_is_dead():
            raise DeviceError(
                "the JACK server has stopped, and PortAudio cannot let go of it; start JACK, then "
                "attacca, again"
            )
        try:
            self.close()
            sd._initialize()
        except sd.PortAudioError as error:
            raise DeviceError(f"cannot look for sound devices: {_one_line(error)}") from error

    def close(self) -> None:
        """Let go of all sound servers; `rescan` connects again. Close the streams first."""
        if self._module is None or self._jack_is_dead():
            return
        while self._module._initialized:
            self._module._terminate()

    def _jack_is_dead(self) -> bool:
        """Whether PortAudio holds a client of a JACK server that has gone.

        Pa_Terminate then fails an assertion, which kills the process (PortAudio 19.6 and 19.7,
        pa_jack.c); opening a stream on it only returns an error.
        """
        sd = self.module
        if not sd._initialized:
            return False
        jack = next((api for api in sd.query_hostapis() if api["name"] == _JACK), None)
        if jack is None or jack["default_output_device"] < 0:
            return False
        try:
            sd._StreamBase("output", device=jack["default_output_device"], dtype="float32").close()
        except sd.PortAudioError:
            return True
        return False

    def _leave(self) -> None:
        """At the interpreter's end, before sounddevice terminates PortAudio."""
        if self._jack_is_dead():
            self.module._initialized = 0

    def _takes(self, index: int, rate: int) -> bool:
        sd = self.module
        try:
            sd.check_output_settings(index, samplerate=rate, dtype="float32")
        except (sd.PortAudioError, ValueError):
            return False
        return True


class OutputDevice:
    """A stream to one output device, remembered by name.

    Parameters
    ----------
    portaudio : PortAudio
    name : str
        See `PortAudio.find`.
    ring : OutputRing
        Read by the C callback; must outlive this object.
    rate : int
        Frames per second.
    clock : Clock
    block : int
        Frames for each callback; 0 lets PortAudio choose.
    latency_s : float, optional
        Asked of the device, seconds; by default what its host API keeps reliably.

    Raises
    ------
    DeviceError
        See `PortAudio.find`; or the device does not take the rate or the channels.
    """

    def __init__(
        self,
        portaudio: PortAudio,
        name: str,
        ring: OutputRing,
        *,
        rate: int,
        clock: Clock,
        block: int = 0,
        latency_s: float | None = None,
    ) -> None:
        self.name = name
        self.rate = rate
        self._portaudio = portaudio
        self._ring = ring
        self._clock = clock
        self._block = block
        self._latency = latency_s
        self._stream: Any = None
        self._heard = 0
        self._heard_at = 0.0
        self._started_at = 0.0
        self.info = self._open()

    @property
    def latency_s(self) -> float:
        """Output latency that the open stream reports, seconds; 0 while there is none."""
        return float(self._stream.latency) if self._stream is not None else 0.0

    def start(self) -> None:
        """Let the device play what the ring holds.

        Raises
        ------
        DeviceError
            It will not start, or is closed.
        """
        if self._stream is None:
            raise DeviceError(f"the sound device {self.name!r} is closed; reopen it")
        self._heard, self._started_at = self._ring.stats().frames_out, self._clock.now()
        self._heard_at = self._started_at
        try:
            # PortAudio's thread takes over the priority of the thread that starts it.
            with raised_priority(10):
                self._stream.start()
        except self._portaudio.module.PortAudioError as error:
            raise DeviceError(
                f"the sound device {self.info.label!r} does not start: {_one_line(error)}"
            ) from error

    def stop(self) -> None:
        """Stop at once; mute the ring some milliseconds before, or it clicks."""
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)

    def close(self) -> None:
        """Close the stream; closing twice, or when the device is gone, is harmless."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)

    def alive(self) -> bool:
        """Whether the device still asks for audio; to be called a few times a second."""
        if self._stream is None or not self._stream.active:
            return False
        heard, now = self._ring.stats().frames_out, self._clock.now()
        if heard != self._heard:
            self._heard, self._heard_at = heard, now
            return True
        starting = now - self._started_at < _START_PATIENCE_S
        return starting or now - self._heard_at < _PATIENCE_S

    def reopen(self) -> None:
        """Scan anew, find the device by its name, open and start it.

        Raises
        ------
        DeviceError
            It is not back; try again later.
        """
        self.close()
        self._portaudio.rescan()
        self.info = self._open()
        self.start()

    def _open(self) -> DeviceInfo:
        sd = self._portaudio.module
        info = self._portaudio.find(self.name)
        channels = self._ring.channels
        if channels > info.channels:
            raise DeviceError(
                f"the sound device {info.label!r} has {info.channels} output channels, not "
                f"{channels}; choose fewer channels or another device"
            )
        function, user = self._ring.callback()
        latency = self._latency
        if latency is None:
            latency = _LATENCY_S.get(info.host_api, info.latency_s)
        try:
            stream = sd._StreamBase(
                "output",
                samplerate=self.rate,
                blocksize=self._block,
                device=info.index,
                channels=channels,
                dtype="float32",
                latency=latency,
                callback=sd._ffi.cast("PaStreamCallback*", function),
                userdata=sd._ffi.cast("void*", user),
            )
        except (sd.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"the sound device {info.label!r} does not open at {self.rate} Hz with {channels} "
                f"channels ({_one_line(error)}); its own rate is {info.default_rate} Hz"
            ) from error
        self._ring.rest(round(_SETTLE * float(stream.latency) * self.rate))
        self._stream = stream
        return info


def _listed(devices: Sequence[DeviceInfo]) -> str:
    return ", ".join(repr(d.label) for d in devices)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
