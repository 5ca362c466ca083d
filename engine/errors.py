"""The errors that the program raises on purpose. Any process and any thread may raise them.

AttaccaError
├── ConfigError      an option, a control or a setting has a value that cannot be used
├── PackError        a pack is missing, damaged, of a future version, or not a pack
├── DeviceError      there is no sound device, or the requested one does not exist
├── DisplayError     there is no display for a window
├── WorkerError      the generator process cannot be started, or crashes repeatedly
├── StorageError     a file cannot be read or written
└── MissingExtra     an optional library is not installed

Every message is one line: it quotes the value and says what to do.
"""

from __future__ import annotations

__all__ = [
    "AttaccaError",
    "ConfigError",
    "DeviceError",
    "DisplayError",
    "MissingExtra",
    "PackError",
    "StorageError",
    "WorkerError",
]


class AttaccaError(Exception):
    """Base of all errors; the command line prints its message as one line."""


class ConfigError(AttaccaError):
    """An option or a control has a value that cannot be used."""


class PackError(AttaccaError):
    """A pack is missing, damaged, of a future version, or not a pack."""


class DeviceError(AttaccaError):
    """There is no sound device, or the requested one does not exist."""


class DisplayError(AttaccaError):
    """There is no display for a window."""


class WorkerError(AttaccaError):
    """The generator process cannot be started, or crashes repeatedly."""


class StorageError(AttaccaError):
    """A file or folder cannot be read or written."""


class MissingExtra(AttaccaError):
    """An optional library is not installed; the message says how to install it."""
