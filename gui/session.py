"""The session with one engine: connection, models, and the engine's process.

Contract for a view: use the models of the session; `state` and `state_text` describe its state;
`route(address, take)` passes messages of an address to a function; `stream(address, rate)` starts a
stream (again after every reconnection); `send` is for everything else. A view need not clean up:
its streams end with the connection. Qt's main thread.

States: `idle` (no engine; `play` starts one), `starting`, `playing` (connected), `lost` (the
connection is lost; the engine is restarted or awaited), `failed` (the engine cannot start; the
reason is in `state_text`).
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
from gui.models.engine_models import EngineModels

__all__ = ["Session", "State"]

State = Literal["idle", "starting", "playing", "lost", "failed"]
Take = Callable[[tuple[object, ...]], object]
POLL = 333  # ms between two polls of /status
_AGAIN = 800  # ms that a lost engine has to answer before it is restarted
_HUNG = 8.0  # seconds without an answer until a running engine is killed
_MOST_DEATHS, _WITHIN = 3, 60.0  # after more crashes within this time it is not restarted


class Session(QObject):
    """Controls the engine at `host` and `port`.

    Parameters
    ----------
    engine : starts one there; None to connect only to a running one.
    """

    state_changed = pyqtSignal()
    ended = pyqtSignal()  # the engine has ended as requested

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
        self.quantised_actions, self.midi, self.log = (
            models.quantised_actions, models.midi, models.log,
        )  # fmt: skip
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
        """Connect to an engine that plays already; keep trying."""
        self.connection.start()

    def play(self) -> None:
        """Play; start an engine if none is running."""
        if self.connection.is_open:
            self.transport.play()
        else:
            self._deaths.clear()
            self._restore.pop("pause", None)
            self._start("Starting the engine")

    def stop(self) -> None:
        """End the engine; `play` starts another one with the same controls."""
        self._remember()
        self._end()

    def quit(self, *, leave: bool) -> None:
        """End the session: end the engine or leave it playing, then emit `ended`.

        An engine started elsewhere, in a terminal for instance, keeps playing.
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
        """Whether this session starts and ends the engine."""
        return self.engine is not None

    @property
    def idle_text(self) -> str:
        """The message while no engine is running."""
        if self.engine is None:
            return f"Waiting for an engine at {self._where()}."
        return "Press Play to start the engine. The first sound takes a few seconds."

    @property
    def plays_silently(self) -> bool:
        """Whether it plays without a sound device."""
        return self.state == "playing" and self.figures.text("device") == "none"

    def send(self, address: str, *arguments: object) -> bool:
        """Send a message; False without a connection."""
        return self.connection.send(address, *arguments)

    def route(self, address: str, take: Take) -> None:
        """Call `take(arguments)` with every message to an address."""
        self._routes.setdefault(address, []).append(take)

    def stream(self, address: str, *arguments: object) -> None:
        """Start a stream, such as `/lead 10`; 0 ends it."""
        self._streams[address] = arguments
        self.send(address, *arguments)

    # ------------------------------------------------------------------ the engine's life

    def _start(self, text: str) -> None:
        if self.engine is None:
            self._set("lost", f"No engine answers at {self._where()}; trying again.")
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
            self.engine.mark.clear()  # so that no other window mistakes it for a crash
        if self.engine is not None and self.engine.is_alive:
            self.engine.end()
        elif self.send("/quit", 1):
            # an engine started by another window; it closes the connection
            QTimer.singleShot(3_000, self._ended)
        else:
            QTimer.singleShot(0, self._ended)

    def _ended(self) -> None:
        if not self._ending:
            return
        self._ending = False
        if self.connection.is_open and not (self.engine and self.engine.has_started):
            self._set("playing", "This engine can only be stopped where it was started.")
        else:
            self._set("idle", "")
        self.ended.emit()

    def _died(self, words: str) -> None:
        """The engine that was started here has crashed."""
        now = self._now()
        begun = self.state != "starting" or bool(self._deaths)
        self._deaths = [at for at in self._deaths if now - at < _WITHIN] + [now]
        self.log.say(f"the engine crashed: {words or 'no message'}", "error")
        if not begun and self.engine is not None and self.engine.fallback is not None:
            self.engine.options, self.engine.fallback = self.engine.fallback, None
            self._deaths.clear()
            self._start(f"{words}; starting with the default pack and device")
        elif begun and len(self._deaths) <= _MOST_DEATHS:
            self._start(f"The engine crashed ({words or 'no message'}). Restarting it")
        else:
            self._set("failed", words or "The engine crashed without a message. See its log file.")

    def _take_up(self) -> None:
        """The connection is lost, and no engine has answered since."""
        if self.engine is None:
            self._again.stop()
        elif not self.engine.is_alive:
            self._again.stop()
            if self.state == "lost" and self.engine.mark.is_there:
                self._died("no message")
            elif self.state == "lost":  # on purpose, or started elsewhere
                self._set("idle", "")
        elif self.state == "lost" and self._now() - self._lost_at > _HUNG:
            self.log.say("the engine does not answer; restarting it", "error")
            self._lost_at = self._now()
            self.engine.kill()  # then _died is called

    # ------------------------------------------------------------------ the connection

    def _opened(self) -> None:
        self._again.stop()
        if self.engine is not None and not self.engine.is_alive:
            self.engine.mark.forget_stale()
        for message in (("/subscribe",), ("/controls",), ("/status",), ("/record",)):
            self.send(*message)
        for address, arguments in self._streams.items():
            self.send(address, *arguments)
        # An engine that was only unreachable has its controls; a new one gets them back.
        self._restoring, self._fresh = self._fresh and bool(self._restore), False
        self._models.take_opened()
        self._poll.start(POLL)
        version = f" {self.connection.version}" if self.connection.version else ""
        self.log.say(f"{self.connection.program}{version} connected at {self._where()}")
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
        self.log.say(f"connection to the engine lost: {reason}", "error")
        waiting = "Reconnecting." if self.engine else "Waiting for it."
        self._set("lost", f"The connection to the engine is lost ({reason}). {waiting}")
        self._again.start(_AGAIN)

    def _received(self, address: str, arguments: tuple[object, ...]) -> None:
        try:
            for take in self._routes.get(address, ()):
                take(arguments)
            self._models.take(address, arguments)
        except (AttaccaError, ValueError) as error:  # for instance an engine of another version
            self.log.say(f"{address} cannot be read: {error}", "warning")
        if address == "/controls/changed":  # the pack has changed
            self.send("/controls")
        elif address == "/controls/end":
            self.send("/dump")
        elif address == "/dump/end" and self._restoring:
            self._restoring = False
            restore, self._restore = self._restore, {}
            self.controls.restore(restore)

    def _turn(self, address: str, *arguments: object) -> bool:
        """Send a change of a control."""
        sent = self.send(address, *arguments)
        if sent and arguments and not self._restoring:
            self.history.note_change()
        return sent

    def _remember(self) -> None:
        if values := self.controls.values():
            self._restore = values

    def _chosen(self, arguments: tuple[object, ...]) -> None:
        """A pack or device was changed: use it for the next start of the engine."""
        names = {"/packs/load": "pack", "/device/select": "device"}
        if self.engine is not None and len(arguments) == 2 and arguments[0] in names:
            self.engine.set_option(names[str(arguments[0])], str(arguments[1]))
            self.state_changed.emit()

    def _where(self) -> str:
        return f"{self.connection.host} port {self.connection.port}"

    def _set(self, state: State, text: str) -> None:
        self.state, self.state_text = state, text
        self.state_changed.emit()
