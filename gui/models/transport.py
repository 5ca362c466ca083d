"""The transport: playing, paused, recording, and the commands for them.

The state is what the engine reports: a button only sends a command. The engine chooses the folder
of recordings; sizes and times are `/status/recording/...`.
Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.controls import ControlModels
from gui.models.figures import Figures

__all__ = ["Transport"]


class Transport(QObject):
    """The transport of the connected engine.

    Attributes
    ----------
    is_connected : whether an engine is connected.
    recording : path of the recording that runs; "" if none.
    kept : path of the last recording; "" at first.
    """

    changed = pyqtSignal()

    def __init__(
        self, send: Callable[..., bool], controls: ControlModels, figures: Figures,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._send, self._pause, self._figures = send, controls["pause"], figures
        self.is_connected = False
        self.recording = self.kept = self._problem = ""
        self._pause.changed.connect(self.changed)
        figures.changed.connect(self._look)

    # ------------------------------------------------------------------ what is

    @property
    def is_playing(self) -> bool:
        """Whether music plays."""
        return self.is_connected and self._pause.is_known and not self._pause.value

    @property
    def is_recording(self) -> bool:
        """Whether a recording runs."""
        return bool(self.recording)

    @property
    def recorded_seconds(self) -> float:
        """Length of the recording so far."""
        return self._figures.number("recording/seconds")

    @property
    def recorded_bytes(self) -> float:
        """Size of the recording so far."""
        return self._figures.number("recording/bytes")

    @property
    def free_bytes(self) -> float | None:
        """Free space on the disk of the recording; None if it is unknown."""
        return self._figures.number("recording/free") or None

    @property
    def problem(self) -> str:
        """Why the last recording ended early, or empty."""
        return self._figures.text("recording/problem")

    # ------------------------------------------------------------------ buttons

    def play(self) -> None:
        """Play."""
        self._send("/play", 1)

    def pause(self) -> None:
        """Pause. Audio that is already generated stays in the buffer."""
        self._send("/stop", 1)

    def toggle(self) -> None:
        """Pause or play."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def panic(self) -> None:
        """Fade out, and stay silent until `play`."""
        self._send("/panic", 1)

    def reset(self) -> None:
        """Start a new piece with the next block."""
        self._send("/reset", 1)

    def record(self, on: bool, name: str = "") -> None:
        """Start a recording, under `name` or a new one, or end it."""
        self._send("/record", (name or 1) if on else 0)

    def keep(self, seconds: float) -> None:
        """Save the last seconds you heard to a file."""
        self._send("/record/keep", float(seconds))

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """Handle a message. Returns whether it was about the transport."""
        if address == "/record":
            self._set_recording(str(arguments[0]) if arguments else "")
        elif address == "/done" and len(arguments) == 2 and arguments[0] == "/record":
            self._set_recording(str(arguments[1]))
        elif address == "/done" and len(arguments) == 2 and arguments[0] == "/record/keep":
            self.kept = str(arguments[1])
            self.changed.emit()
        else:
            return False
        return True

    def take_connected(self, connected: bool) -> None:
        """The connection is open, or lost."""
        self.is_connected = connected
        if not connected:
            self.recording = ""
        self.changed.emit()

    def _look(self) -> None:
        path = self._figures["recording"]
        if isinstance(path, str) and path != self.recording:
            self._set_recording(path)
        elif self.recording or self.problem != self._problem:
            self.changed.emit()  # its size or its problem has changed
        self._problem = self.problem

    def _set_recording(self, path: str) -> None:
        if self.recording and not path:
            self.kept = self.recording
        self.recording = path
        self.changed.emit()
