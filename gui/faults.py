"""Defects of the window: uncaught exceptions, and warnings of Qt.

Without this, PyQt ends the program at the first exception in a slot. Here each is stored, counted
and emitted by `caught`, the first time also to the log; the window keeps running, and the music is
another process. `install` and `remove` in Qt's main thread; exceptions of other threads are
handled too. The previous exception hook gets each exception once, not 30 times a second.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from PyQt6.QtCore import QMessageLogContext, QObject, QtMsgType, pyqtSignal, qInstallMessageHandler

from gui.models.log import Log

__all__ = ["Fault", "Faults"]

_MOST = 20  # different ones that are kept
_MOST_QT = 50  # lines of Qt's own that go into the log
_LEVELS = {QtMsgType.QtWarningMsg: "warning", QtMsgType.QtCriticalMsg: "error"}


@dataclass(frozen=True)
class Fault:
    """One defect; `times`: how often it happened."""

    text: str
    trace: str
    times: int = 1


class Faults(QObject):
    """The defects of this process.

    Parameters
    ----------
    log : receives each defect once.

    Attributes
    ----------
    kept : oldest first.
    """

    caught = pyqtSignal(object)  # a Fault
    _raised = pyqtSignal(object, object, object)  # from any thread
    _complained = pyqtSignal(str, str)

    def __init__(self, log: Log, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self.kept: deque[Fault] = deque(maxlen=_MOST)
        self._from_qt = 0
        self._before: tuple[Any, Any, Any] | None = None
        self._first: Any = None
        self._raised.connect(self._take)
        self._complained.connect(self._take_qt)

    def install(self) -> None:
        """Install the hooks."""
        if self._before is None:
            before = qInstallMessageHandler(self._qt)
            self._before = (sys.excepthook, threading.excepthook, before)
            mine = sys.excepthook is not sys.__excepthook__
            self._first = sys.excepthook if mine else None
            sys.excepthook = self._exception
            threading.excepthook = self._in_thread

    def remove(self) -> None:
        """Restore the previous hooks."""
        if self._before is not None:
            sys.excepthook, threading.excepthook, before = self._before
            qInstallMessageHandler(before)
            self._before = None

    # ------------------------------------------------------------------ any thread

    def _exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        self._raised.emit(kind, error, trace)

    def _in_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            self._exception(args.exc_type, args.exc_value, args.exc_traceback)

    def _qt(self, kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        _to_terminal(f"Qt: {text}\n")
        if kind in _LEVELS and text:
            self._complained.emit(_LEVELS[kind], text)

    # ------------------------------------------------------------------ Qt's main thread

    def _take(
        self, kind: type[BaseException], error: BaseException, place: TracebackType | None
    ) -> None:
        trace = "".join(traceback.format_exception(kind, error, place))
        known = next((f for f in self.kept if f.trace == trace), None)
        if known is not None:  # perhaps 30 times a second: log it once
            fault = replace(known, times=known.times + 1)
            self.kept[self.kept.index(known)] = fault
        else:
            fault = Fault(_one_line(kind, error), trace)
            self.kept.append(fault)
            _to_terminal(trace)
            if self._first is not None:
                self._first(kind, error, place)
            else:
                self._log.say(f"a defect of the window: {fault.text}", "error", "defect")
        self.caught.emit(fault)

    def _take_qt(self, level: str, text: str) -> None:
        self._from_qt += 1
        if self._from_qt <= _MOST_QT:
            self._log.say(text, "error" if level == "error" else "warning", "qt")


def _one_line(kind: type[BaseException], error: BaseException) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{kind.__name__}: {text}" if text else kind.__name__


def _to_terminal(text: str) -> None:
    write: Callable[[str], object] | None = getattr(sys.stderr, "write", None)
    if write is not None:
        write(text)
