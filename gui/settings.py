"""The window's settings: position, theme, device and pack, in one file.

An INI file in the user's folder, which can be read and deleted. If it is damaged, only the settings
are lost. Qt's main thread.
"""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QByteArray, QSettings

from gui.theme import THEMES, Theme

__all__ = ["Settings"]


class Settings:
    """The file `window.ini` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)

    @property
    def theme(self) -> Theme:
        """Light, dark, or as in the system."""
        kept = self._file.value("theme", "system")
        for theme in THEMES:
            if theme == kept:
                return theme
        return "system"

    @theme.setter
    def theme(self, theme: Theme) -> None:
        self._file.setValue("theme", theme)

    @property
    def reduced_motion(self) -> bool:
        """Whether animations are reduced."""
        return self._yes("reduced_motion")

    @reduced_motion.setter
    def reduced_motion(self, reduced: bool) -> None:
        self._file.setValue("reduced_motion", int(reduced))

    @property
    def leave_playing(self) -> bool:
        """Whether the music keeps playing when the window is closed."""
        return self._yes("leave_playing")

    @leave_playing.setter
    def leave_playing(self, leave: bool) -> None:
        self._file.setValue("leave_playing", int(leave))

    @property
    def geometry(self) -> QByteArray | None:
        """The window's geometry, as Qt stores it."""
        kept = self._file.value("geometry")
        return kept if isinstance(kept, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._file.setValue("geometry", geometry)

    def option(self, name: str) -> str:
        """The engine's last `device` or `pack`; "" if unknown."""
        kept = self._file.value(f"engine/{name}", "")
        return kept if isinstance(kept, str) else ""

    def keep_option(self, name: str, value: str) -> None:
        """Store it for the next start; "" removes it."""
        self._file.setValue(f"engine/{name}", value)

    def sync(self) -> None:
        """Write it now."""
        self._file.sync()

    def _yes(self, name: str) -> bool:
        return str(self._file.value(name, 0)) == "1"
