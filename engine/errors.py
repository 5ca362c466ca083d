"""The tree of errors that users can meet. Any process and any thread may raise them.

AttaccaError
├── ConfigError      an option, a control or a setting has a value that cannot be used
├── PackError        a pack is missing, damaged, of a future version, or not a pack
├── DeviceError      no sound device, or the one asked for is gone
├── DisplayError     there is no display for a window
├── WorkerError      the generator process could not be started or kept dying
├── StorageError     a file cannot be read or written
└── MissingExtra     an optional library is not installed

Every message is one line: it quotes the value, names the bound and says what to do.
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
    """Base of everything the product raises on purpose; the command line prints it as one line."""


class ConfigError(AttaccaError):
    """An option or a control has a value that cannot be used."""


class PackError(AttaccaError):
    """A pack is missing, damaged, of a future version, or not a pack."""


class DeviceError(AttaccaError):
    """There is no sound device, or the one asked for is not there."""


class DisplayError(AttaccaError):
    """There is no display that a window could open on."""


class WorkerError(AttaccaError):
    """The generator process could not be started, or died too often."""


class StorageError(AttaccaError):
    """A file or folder cannot be read or written."""


class MissingExtra(AttaccaError):
    """An optional library is not installed; the message names the extra that brings it."""
