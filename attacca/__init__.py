"""Attacca: an instrument that never stops. The public names, each loaded on first use.

>>> from attacca import Instrument
>>> with Instrument("piano") as piano:
...     piano.play()

Importing this package is cheap: numpy, ONNX Runtime and PortAudio load with `Instrument`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attacca.pack import Pack as Pack
    from attacca.seed_audio import read_past as read_past
    from engine.controls.settings import Settings as Settings
    from engine.errors import AttaccaError as AttaccaError
    from engine.errors import ConfigError as ConfigError
    from engine.errors import DeviceError as DeviceError
    from engine.errors import MissingExtra as MissingExtra
    from engine.errors import PackError as PackError
    from engine.errors import StorageError as StorageError
    from engine.errors import WorkerError as WorkerError
    from engine.instrument import Instrument as Instrument
    from engine.notes.note import Note as Note
    from engine.notes.note import NoteEvent as NoteEvent
    from engine.offline import Block as Block
    from engine.offline import Blocks as Blocks
    from engine.status import Event as Event
    from engine.status import Status as Status
    from engine.time.latencies import Latencies as Latencies

__version__ = "0.1.0"
__all__ = [
    "AttaccaError", "Block", "Blocks", "ConfigError", "DeviceError", "Event", "Instrument",
    "Latencies", "MissingExtra", "Note", "NoteEvent", "Pack", "PackError", "Settings", "Status",
    "StorageError", "WorkerError", "__version__", "read_past",
]  # fmt: skip

_ERRORS = (
    "AttaccaError", "ConfigError", "DeviceError", "MissingExtra", "PackError", "StorageError",
    "WorkerError",
)  # fmt: skip
_HOMES = {
    **dict.fromkeys(_ERRORS, "engine.errors"),
    **dict.fromkeys(("Block", "Blocks"), "engine.offline"),
    **dict.fromkeys(("Event", "Status"), "engine.status"),
    **dict.fromkeys(("Note", "NoteEvent"), "engine.notes.note"),
    "Instrument": "engine.instrument",
    "Latencies": "engine.time.latencies",
    "Pack": "attacca.pack",
    "Settings": "engine.controls.settings",
    "read_past": "attacca.seed_audio",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"attacca has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
