"""The system's MIDI through python-rtmidi, loaded when it is first used. Any one thread.

On Linux that is ALSA where the system has its sequencer, else JACK; CoreMIDI on macOS, WinMM on
Windows. If there is none, this is one line, without output of the C libraries.

A JACK server that has stopped never answers, and python-rtmidi keeps the interpreter lock while it
waits, which would stop every thread of the process. So before a client of JACK is opened or closed,
a probe that frees the lock waits in a separate thread until the server answers. The clients of a
server that has died are never closed: JACK's library may crash over it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any

from engine.audio.library_thread import LibraryThread
from engine.errors import ConfigError, DeviceError, MissingExtra

__all__ = ["APIS", "Backend", "open_backend"]

# The names as typed, and the names of python-rtmidi's constants.
APIS = {
    "alsa": "API_LINUX_ALSA", "jack": "API_UNIX_JACK", "coremidi": "API_MACOSX_CORE",
    "winmm": "API_WINDOWS_MM",
}  # fmt: skip
_SEQUENCER = Path("/dev/snd/seq")
_OPEN_LIMIT_S, _CLOSE_LIMIT_S = 2.0, 0.5  # for a JACK server to answer
_NO_START_SERVER = 1  # an option of jack_client_open


class Backend:
    """One API of python-rtmidi.

    Parameters
    ----------
    rtmidi : the module.
    name : one of `APIS`.
    """

    def __init__(self, rtmidi: Any, name: str) -> None:
        self.name = name
        self._rtmidi = rtmidi
        self._jack = LibraryThread("attacca-midi-jack") if name == "jack" else None
        self._api = getattr(rtmidi, APIS[name])
        # All errors of the library, including the use of ports that have disappeared.
        self.errors: tuple[type[Exception], ...] = (rtmidi.RtMidiError, OSError, RuntimeError)

    @property
    def virtual(self) -> bool:
        """Whether programs can create virtual ports."""
        return self.name != "winmm"

    def input(self, client: str) -> Any:
        """Create a client for input. Close it with `end`.

        Raises
        ------
        DeviceError
            The system's MIDI does not answer.
        """
        return self._client(self._rtmidi.MidiIn, client)

    def output(self, client: str) -> Any:
        """Create a client for output. Close it with `end`.

        Raises
        ------
        DeviceError
            The system's MIDI does not answer.
        """
        return self._client(self._rtmidi.MidiOut, client)

    def _client(self, kind: Any, client: str) -> Any:
        if self._jack is not None:
            self._jack.call(_jack_is_there, "midi: jack", _OPEN_LIMIT_S)
            self._jack.end()
        try:
            return kind(self._api, client)
        except self.errors as error:
            raise DeviceError(f"midi: {self.name}: {' '.join(str(error).split())[:100]}") from error

    def end(self, client: Any) -> None:
        """Close a client and its port; if the JACK server has died or hangs, leave them open."""

        def close() -> None:
            with contextlib.suppress(*self.errors):
                client.close_port()
            with contextlib.suppress(*self.errors):
                client.delete()

        if self._jack is None:
            close()
            return

        def close_if_there() -> None:
            if _jack_is_there():
                close()
            else:  # freeing it at exit would close it
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))

        # The waiting thread keeps a client that is not closed in time: freeing it would hang too.
        self._jack.finish(close_if_there, _CLOSE_LIMIT_S)
        self._jack.end()


def open_backend(wanted: str = "") -> Backend:
    """Open the system's MIDI, or the API `wanted`.

    Raises
    ------
    MissingExtra
        python-rtmidi is not installed.
    ConfigError
        The API is unknown, or python-rtmidi was built without it.
    DeviceError
        The system has no MIDI, or it does not answer.
    """
    if wanted and wanted not in APIS:
        raise ConfigError(f"midi: {wanted!r} is not a MIDI API; choose one of {', '.join(APIS)}")
    try:
        import rtmidi
    except ImportError as error:
        raise MissingExtra(
            f"midi: python-rtmidi cannot be loaded ({error}); install it with 'pip install "
            "python-rtmidi' (after Python 3.12 this needs a C++ compiler)"
        ) from error
    module: Any = rtmidi  # its stubs are incomplete
    compiled = set(module.get_compiled_api())
    built = [name for name, constant in APIS.items() if getattr(module, constant) in compiled]
    if wanted and wanted not in built:
        raise ConfigError(f"midi: {wanted} is not available here; choose one of {', '.join(built)}")
    _silence_jack()
    problems = [] if built else ["python-rtmidi was built without any"]
    for name in [wanted] if wanted else built:
        if name == "alsa" and not os.access(_SEQUENCER, os.R_OK | os.W_OK):
            problems.append(f"alsa: {_SEQUENCER} cannot be opened")
            continue
        backend = Backend(module, name)
        try:
            backend.end(backend.input("Attacca"))
        except DeviceError as error:
            problems.append(str(error).removeprefix("midi: "))
            continue
        return backend
    raise DeviceError(f"midi: this system has no MIDI ({'; '.join(problems)})")


def _silence_jack() -> None:
    """Stop JACK's library from writing to the terminal if there is no server."""
    # A C function that takes a text and does nothing. The library calls it in its own threads,
    # which Python would delay.
    for library in _jack_libraries():
        with contextlib.suppress(AttributeError):
            nothing = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
            library.jack_set_error_function(nothing)
            library.jack_set_info_function(nothing)


def _jack_is_there() -> bool:
    """Whether the JACK server answers; waits while a server hangs."""
    for library in _jack_libraries():
        library.jack_client_open.restype = ctypes.c_void_p
        library.jack_client_close.argtypes = [ctypes.c_void_p]
        status = ctypes.c_int(0)
        name, options = b"Attacca probe", ctypes.c_int(_NO_START_SERVER)
        client = library.jack_client_open(name, options, ctypes.byref(status))
        if client:
            library.jack_client_close(client)
        return bool(client)
    return True  # no JACK library found


def _jack_libraries() -> list[ctypes.CDLL]:
    """JACK's client libraries that this process has loaded; on Linux only."""
    if sys.platform != "linux":
        return []
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return []
    paths = {line.split()[-1] for line in maps.splitlines() if "/libjack" in line}
    found: list[ctypes.CDLL] = []
    for path in sorted(paths):
        with contextlib.suppress(OSError):
            found.append(ctypes.CDLL(path))
    return found
