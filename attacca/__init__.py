"""Attacca: an instrument that never stops. The public names, each loaded when first used.

>>> from attacca import Instrument
>>> with Instrument("piano") as piano:
...     piano.play()

Importing this package costs nothing: numpy, ONNX Runtime and PortAudio come with `Instrument`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attacca.pack import Pack as Pack
    from engine.errors import AttaccaError as AttaccaError
    from engine.instrument import Instrument as Instrument

__version__ = "0.1.0"
__all__ = ["AttaccaError", "Instrument", "Pack", "__version__"]

_HOMES = {
    "AttaccaError": "engine.errors",
    "Instrument": "engine.instrument",
    "Pack": "attacca.pack",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"attacca has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
