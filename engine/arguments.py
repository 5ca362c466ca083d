"""Checks of arguments of the public interface.

Pure functions, any thread. Standard library only, because the command line uses them too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from engine.errors import ConfigError
from engine.scalars import number_of, shown

__all__ = [
    "HISTORY", "LATENCIES", "LONGEST_HISTORY", "AnyPath", "checked_device", "checked_function",
    "checked_latency", "checked_number", "checked_path", "checked_seconds", "checked_text",
    "checked_whole",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., object])
AnyPath: TypeAlias = str | os.PathLike[str]

# Seconds of lead and block together: with the latency of the output, block controls are audible
# within 3 s and 1 s.
HISTORY, LONGEST_HISTORY = 600.0, 3600.0  # seconds by which the music can go back
LATENCIES = {"default": 2.9, "jam": 0.9}
_LATENCY = (0.0, 60.0)  # seconds; the lower limit depends on the pack


def checked_number(what: str, value: object, low: float, high: float, unit: str = "") -> float:
    """A number from `low` to `high`.

    Raises
    ------
    ConfigError
        It is not a number, or out of range.
    """
    number = number_of(value)
    if not low <= number <= high:
        bounds = " to ".join(f"{b:g}" if abs(b) < 1e6 else f"{b:,.0f}" for b in (low, high))
        unit = f" {unit}" if unit else ""
        raise ConfigError(f"{what}: {shown(value)} cannot be used; use {bounds}{unit}")
    return number


def checked_seconds(what: str, value: object, low: float, high: float) -> float:
    """A time from `low` to `high` seconds.

    Raises
    ------
    ConfigError
        It is not a number, or out of range.
    """
    return checked_number(what, value, low, high, "s")


def checked_whole(what: str, value: object, low: int, high: int, unit: str = "") -> int:
    """A whole number from `low` to `high`.

    Raises
    ------
    ConfigError
        It is not a whole number, or out of range.
    """
    number = checked_number(what, value, low, high, unit)
    if number != int(number):
        raise ConfigError(f"{what}: {shown(value)} is not a whole number")
    return int(number)


def checked_latency(value: object) -> float:
    """Seconds of latency, from a number or the name of a profile.

    Raises
    ------
    ConfigError
        Neither a number in range nor the name of a profile.
    """
    if isinstance(value, str):
        if value in LATENCIES:
            return LATENCIES[value]
        with contextlib.suppress(ValueError):
            value = float(value)
    low, high = _LATENCY
    seconds = number_of(value)
    if not low <= seconds <= high:
        names = ", or ".join(LATENCIES)
        raise ConfigError(
            f"latency: {shown(value)} cannot be used; use {low:g} to {high:g} s, or {names}"
        )
    return seconds


def checked_path(what: str, path: object) -> Path:
    """A path from anything that `os.fspath` takes; a leading `~` is the home folder.

    Raises
    ------
    ConfigError
        It is not a path, is bytes, is empty, or cannot be a path on this system.
    """
    try:
        text = os.fspath(path)  # type: ignore[arg-type]
    except Exception as error:
        raise ConfigError(
            f"{what}: {shown(path)} is not a path; use a text such as 'out.flac' or a Path"
        ) from error
    if not isinstance(text, str):
        raise ConfigError(f"{what}: {shown(text)} is bytes; use os.fsdecode to turn it into a path")
    if not text:
        raise ConfigError(f"{what}: the path is empty; use a file name such as 'out.flac'")
    found = Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises without a home)
    try:
        found.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{what}: {shown(text)} cannot be a path: {reason}") from error
    return found


def checked_device(device: object) -> str | None:
    """The name of a sound device, or None for no device.

    Raises
    ------
    ConfigError
        It is neither.
    """
    if device is None or (isinstance(device, str) and "\n" not in device):
        return device
    raise ConfigError(
        f"device: {shown(device)} is not a name; use a name that `attacca devices` lists, "
        "'default', or None for no device"
    )


def checked_text(what: str, text: object) -> str:
    """Text in one line.

    Raises
    ------
    ConfigError
        It is not text.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{what}: {shown(text)} cannot be used; use text")
    return " ".join(text.splitlines())


def checked_function(what: str, function: F) -> F:
    """A function, or another callable.

    Raises
    ------
    ConfigError
        It cannot be called.
    """
    if not callable(function):
        raise ConfigError(f"{what}: {shown(function)} cannot be called; use a function")
    return function
