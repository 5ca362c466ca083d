"""One engine as the window knows it: the connection, the models it feeds, the engine's life.

Contract for a view: take models from here; `state` and `state_text` say how things are;
`route(address, take)` has messages of an address handed to a function, `stream(address, rate)` has
the engine send one (again after every reconnection); `send` is for everything else. A view's
end needs no care: the lease of its stream goes with the connection. Qt's main thread.

States: `idle` (no engine plays; `play` starts one), `starting`, `playing` (an engine answers),
`lost` (it is gone; it is started again, or waited for), `failed` (it cannot be started; why is in
`state_text`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from engine.controls.control import Value
from engine.errors import AttaccaError
from gui.connection import Connection
from gui.engine_process import EngineProcess
from gui.models.everything import EngineModels

__all__ = ["Session", "State"]

State = Literal["idle", "starting", "playing", "lost", "failed"]
Take = Callable[[tuple[object, ...]], object]
POLL = 333  # ms between two askings for /status
_AGAIN = 800  # ms that a lost engine has to answer again before another is started
_HUNG = 8.0  # seconds that a living engine may be lost before it is killed
_MOST_DEATHS, _WITHIN = 3, 60.0  # so many in so many seconds, and it is not started again


class Session(QObject):
    """Steers the engine at `host` and `port`.

    Parameters
    ----------
    engine : starts one there; None to take only what plays there already.
    """

    state_changed = pyqtSignal()
    ended = pyqtSignal()  # the engine that was to end has ended

    def __init__(
        self, host: str, port: int, engine: EngineProcess | None = None, *,
        now: Callable[[], float] = time.monotonic, parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.engine, self._now = engine, now
        self.connection = Connection(host, port, now, self)
        self._models = models = EngineModels(self.send, self._turn, now, self)
        self.controls, self.figures, self.transport = (
            models.controls, models.figures, models.transport,
        )  # fmt: skip
        self.meters, self.presets, self.history, self.moments = (
            models.meters, models.presets, models.history, models.moments,
        )  # fmt: skip
        self.punches, self.midi, self.log = models.punches, models.midi, models.log
        self.state: State = "idle"
        self.state_text = ""
        self._streams: dict[str, tuple[object, ...]] = {
            "/events": (1,), "/meters": (30.0,), "/lead": (10.0,),
        }  # fmt: skip
        self._routes: dict[str, list[Take]] = {}
        self._restore: dict[str, Value] = {}
        self._ending, self._restoring, self._fresh = False, False, False
        self._lost_at, self._deaths = 0.0, list[float]()
        self.connection.opened.connect(self._opened)
        self.connection.closed.connect(self._closed)
        self.connection.received.connect(self._received)
        self.route("/done", self._chosen)
        self._poll = QTimer(self)
        self._poll.timeout.connect(lambda: self.send("/status"))
        self._again = QTimer(self)
        self._again.timeout.connect(self._take_up)
        if engine is not None:
            engine.died.connect(self._died)
            engine.ended.connect(self._ended)

    # ------------------------------------------------------------------ what a window does

    def begin(self) -> None:
        """Look for an engine that plays already; go on looking."""
        self.connection.start()

    def play(self) -> None:
        """Play or go on: start an engine where none plays."""
        if self.connection.is_open:
            self.transport.play()
        else:
            self._deaths.clear()
            self._restore.pop("pause", None)
            self._start("starting the engine")

    def stop(self) -> None:
        """End the engine and stay; `play` starts another, with the controls as they are."""
        self._remember()
        self._end()

    def quit(self, *, leave: bool) -> None:
        """Part for good: end the engine, or leave it playing; `ended` comes when that is done.

        One that somebody else started, in a terminal for instance, is left playing.
        """
        self._ending = True
        if not leave and self.engine is not None and self.engine.mark.is_there:
            self._end()
            return
        self._again.stop()
        if self.engine is not None:
            self.engine.leave()
        self.connection.stop()
        QTimer.singleShot(0, self._ended)

    @property
    def owns_engine(self) -> bool:
        """Whether an engine is ended and started again from here."""
        return self.engine is not None

    @property
    def idle_text(self) -> str:
        """What to do where no engine plays."""
        if self.engine is None:
            return f"Waiting for an engine at {self._where()}."
        return "Nothing plays yet. Play starts the engine; the first sound takes a few seconds."

    @property
    def is_unheard(self) -> bool:
        """Whether it plays into no device."""
        return self.state == "playing" and self.figures.text("device") == "none"

    def send(self, address: str, *arguments: object) -> bool:
        """Send a message; False when no engine is there."""
        return self.connection.send(address, *arguments)

    def route(self, address: str, take: Take) -> None:
        """Have `take(arguments)` called with every message to an address."""
        self._routes.setdefault(address, []).append(take)

    def stream(self, address: str, *arguments: object) -> None:
        """Have the engine send a stream, such as `/lead 10`; with 0, no more."""
        self._streams[address] = arguments
        self.send(address, *arguments)

    # ------------------------------------------------------------------ the engine's life

    def _start(self, text: str) -> None:
        if self.engine is None:
            self._set("lost", f"nothing answers at {self._where()}; it is tried again and again")
            return
        problem = self.engine.start()
        if problem:
            self._set("failed", problem)
        else:
            self._fresh = True
            self._set("starting", text)

    def _end(self) -> None:
        self._ending = True
        self._again.stop()
        if self.engine is not None:
            self.engine.mark.clear()  # so that no other window takes it for a crash
        if self.engine is not None and self.engine.is_alive:
            self.engine.end()
        elif self.send("/quit", 1):
            QTimer.singleShot(3_000, self._ended)  # one that was taken up; it closes its end
        else:
            QTimer.singleShot(0, self._ended)

    def _ended(self) -> None:
        if not self._ending:
            return
        self._ending = False
        if self.connection.is_open and not (self.engine and self.engine.has_started):
            self._set("playing", "this engine can be ended only where it was started")
        else:
            self._set("idle", "")
        self.ended.emit()

    def _died(self, words: str) -> None:
        """The engine that was started here has ended unasked."""
        now = self._now()
        begun = self.state != "starting" or bool(self._deaths)
        self._deaths = [at for at in self._deaths if now - at < _WITHIN] + [now]
        self.log.say(f"the engine ended: {words or 'without a word'}", "error")
        if not begun and self.engine is not None and self.engine.fallback is not None:
            self.engine.options, self.engine.fallback = self.engine.fallback, None
            self._deaths.clear()
            self._start(f"{words}; starting without what was remembered")
        elif begun and len(self._deaths) <= _MOST_DEATHS:
            self._start(f"the engine ended ({words or 'without a word'}); starting it again")
        else:
            self._set("failed", words or "the engine ended without a word; its log may say more")

    def _take_up(self) -> None:
        """An engine is lost, and none has answered since."""
        if self.engine is None:
            self._again.stop()
        elif not self.engine.is_alive:
            self._again.stop()
            if self.state == "lost" and self.engine.mark.is_there:
                self._died("no word of it")
            elif self.state == "lost":  # on purpose, or whose it was
                self._set("idle", "")
        elif self.state == "lost" and self._now() - self._lost_at > _HUNG:
            self.log.say("the engine answers no more: it is started again", "error")
            self._lost_at = self._now()
            self.engine.kill()  # _died comes

    # ------------------------------------------------------------------ the connection

    def _opened(self) -> None:
        self._again.stop()
        if self.engine is not None and not self.engine.is_alive:
            self.engine.mark.forget_stale()
        for message in (("/subscribe",), ("/controls",), ("/status",), ("/record",)):
            self.send(*message)
        for address, arguments in self._streams.items():
            self.send(address, *arguments)
        # An engine that was only out of reach has its controls; one begun anew gets them back.
        self._restoring, self._fresh = self._fresh and bool(self._restore), False
        self._models.take_opened()
        self._poll.start(POLL)
        version = f" {self.connection.version}" if self.connection.version else ""
        self.log.say(f"{self.connection.program}{version} answers at {self._where()}")
        self._set("playing", "")

    def _closed(self, reason: str) -> None:
        self._poll.stop()
        if not self._ending:
            self._remember()
        self._models.take_lost()
        if self._ending or self.state == "idle":
            if self.engine is None or not self.engine.is_alive:
                self._ended()
            return
        self._lost_at = self._now()
        self.log.say(f"the engine is gone: {reason}", "error")
        waiting = "it is taken up again" if self.engine else "it is waited for"
        self._set("lost", f"the engine is gone ({reason}); {waiting}")
        self._again.start(_AGAIN)

    def _received(self, address: str, arguments: tuple[object, ...]) -> None:
        try:
            for take in self._routes.get(address, ()):
                take(arguments)
            self._models.take(address, arguments)
        except (AttaccaError, ValueError) as error:  # an engine of another version, say
            self.log.say(f"{address} cannot be read: {error}", "warning")
        if address == "/controls/changed":  # another pack plays
            self.send("/controls")
        elif address == "/controls/end":
            self.send("/dump")
        elif address == "/dump/end" and self._restoring:
            self._restoring = False
            restore, self._restore = self._restore, {}
            self.controls.restore(restore)

    def _turn(self, address: str, *arguments: object) -> bool:
        """What the control models send."""
        sent = self.send(address, *arguments)
        if sent and arguments and not self._restoring:
            self.history.note_change()
        return sent

    def _remember(self) -> None:
        if values := self.controls.values():
            self._restore = values

    def _chosen(self, arguments: tuple[object, ...]) -> None:
        """Slow work is done: an engine begun anew is to have the same pack and device."""
        names = {"/packs/load": "pack", "/device/select": "device"}
        if self.engine is not None and len(arguments) == 2 and arguments[0] in names:
            self.engine.set_option(names[str(arguments[0])], str(arguments[1]))
            self.state_changed.emit()

    def _where(self) -> str:
        return f"{self.connection.host} port {self.connection.port}"

    def _set(self, state: State, text: str) -> None:
        self.state, self.state_text = state, text
        self.state_changed.emit()
