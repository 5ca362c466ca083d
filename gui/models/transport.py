"""Whether it plays, is held or records, and the buttons for it.

The state is the engine's, never a guess: a button sends, and what the engine says then is shown.
Recordings lie in the folder that the engine names; sizes and times are `/status/recording/...`.
Qt's main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, pyqtSignal

from gui.models.controls import ControlModels
from gui.models.figures import Figures

__all__ = ["Transport"]


class Transport(QObject):
    """Transport of the engine that answers.

    Attributes
    ----------
    is_connected : whether one does.
    recording : the file that is recorded into, as the engine names it; "" when none is.
    kept : the file that was recorded last, "" at first.
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
        """Whether music comes out."""
        return self.is_connected and self._pause.is_known and not self._pause.value

    @property
    def is_recording(self) -> bool:
        """Whether a file is recorded into."""
        return bool(self.recording)

    @property
    def recorded_seconds(self) -> float:
        """Length of the recording so far."""
        return self._figures.number("recording/seconds")

    @property
    def recorded_bytes(self) -> float:
        """Its size."""
        return self._figures.number("recording/bytes")

    @property
    def free_bytes(self) -> float | None:
        """What is left on the disk that is recorded to; None where the engine does not tell."""
        return self._figures.number("recording/free") or None

    @property
    def problem(self) -> str:
        """Why the last recording ended early, or nothing."""
        return self._figures.text("recording/problem")

    # ------------------------------------------------------------------ buttons

    def play(self) -> None:
        """Go on."""
        self._send("/play", 1)

    def pause(self) -> None:
        """Hold the music; the lead is kept."""
        self._send("/stop", 1)

    def toggle(self) -> None:
        """Pause or go on."""
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
        """Begin a recording, under a name or a new one, or end it."""
        self._send("/record", (name or 1) if on else 0)

    def keep(self, seconds: float) -> None:
        """Write what was heard in the last so many seconds into a file."""
        self._send("/record/keep", float(seconds))

    # ------------------------------------------------------------------ the engine

    def take(self, address: str, arguments: tuple[object, ...]) -> bool:
        """A message of the engine. Returns whether it was about the transport."""
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
        """An engine answers, or none does any more."""
        self.is_connected = connected
        if not connected:
            self.recording = ""
        self.changed.emit()

    def _look(self) -> None:
        told = self._figures["recording"]
        if isinstance(told, str) and told != self.recording:
            self._set_recording(told)
        elif self.recording or self.problem != self._problem:
            self.changed.emit()  # it has grown, or there is more to say of it
        self._problem = self.problem

    def _set_recording(self, path: str) -> None:
        if self.recording and not path:
            self.kept = self.recording
        self.recording = path
        self.changed.emit()
