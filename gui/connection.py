"""OSC over TCP from Qt's event loop, with automatic reconnection.

TCP rather than UDP: no message is lost or duplicated, a crashed engine is noticed at once, and a
`/dump` arrives complete and in order. Messages are framed by SLIP (OSC 1.1). Nothing here waits:
without a connection a message is dropped, and `send` returns False. Qt's main thread.

Contract: `opened` after a `/pong`, which only an engine sends; then `received` for every message;
`closed` with a reason for display. It then reconnects until `stop`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtNetwork import QAbstractSocket, QTcpSocket

from osc.framing import Slip
from osc.packets import BadPacket, message, read

__all__ = ["Connection"]

_RETRY = 250  # ms until the next attempt; cheap on this machine
_PING = 1_000  # ms between two pings, which also renew the subscriptions
_SILENCE = 6.0  # seconds without data after which an engine counts as hung
_TRY = 3.0  # seconds for one attempt
_MOST_UNSENT = 262_144  # bytes waiting for an engine that does not read


class Connection(QObject):
    """One client of one engine.

    Parameters
    ----------
    host, port : of the engine's OSC server.
    now : monotonic clock in seconds.
    """

    opened = pyqtSignal()
    closed = pyqtSignal(str)  # the reason, for display
    received = pyqtSignal(str, tuple)  # address, arguments

    def __init__(
        self, host: str, port: int, now: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.host, self.port = host, port
        self.program = self.version = ""  # from /pong
        self.dropped = 0  # messages that could not be sent
        self.sent = 0  # packets, to this engine
        self.bad = 0  # packets that could not be parsed
        self.round_trip = 0.0  # seconds from a /ping to its /pong
        self._now, self._open, self._wanted = now, False, False
        self._framing = Slip()
        self._received_at = self._pinged = self._tried = now()
        self._socket = QTcpSocket(self)
        self._socket.connected.connect(self._connected)
        self._socket.readyRead.connect(self._read)
        self._socket.disconnected.connect(self._disconnected)
        self._socket.errorOccurred.connect(self._failed)
        self._beat = QTimer(self)
        self._beat.timeout.connect(self._tick)

    @property
    def is_open(self) -> bool:
        """Whether an engine is connected."""
        return self._open

    def start(self) -> None:
        """Connect, and reconnect whenever the connection is lost."""
        self._wanted = True
        self._try()
        self._beat.start(_RETRY)

    def stop(self) -> None:
        """Disconnect and stay disconnected."""
        self._wanted = False
        self._beat.stop()
        self._socket.disconnectFromHost()
        self._lost("disconnected")

    def redirect(self, host: str, port: int) -> None:
        """Connect to another engine."""
        self.host, self.port = host, port
        self._lost(f"changing to {host} port {port}")
        self._socket.abort()

    def send(self, address: str, *arguments: object) -> bool:
        """Send a message; False without a connection, or if the engine does not keep up."""
        if not self._open or self._socket.bytesToWrite() > _MOST_UNSENT:
            self.dropped += 1
            return False
        self._write(address, *arguments)
        return True

    # ------------------------------------------------------------------ the socket

    def _try(self) -> None:
        self._framing, self.sent = Slip(), 0
        self._tried = self._now()
        self._socket.connectToHost(self.host, self.port)

    def _connected(self) -> None:
        self._socket.setSocketOption(QAbstractSocket.SocketOption.LowDelayOption, 1)
        self._received_at = self._now()
        self._ping()

    def _ping(self) -> None:
        self._pinged = self._now()
        self._write("/ping")

    def _write(self, address: str, *arguments: object) -> None:
        self.sent += 1
        self._socket.write(self._framing.frame(message(address, *arguments)))

    def _read(self) -> None:
        self._received_at = self._now()
        try:
            packets = self._framing.feed(self._socket.readAll().data())
        except BadPacket as error:
            self.bad += 1
            self._lost(f"the program on port {self.port} is not Attacca: {error}")
            self._socket.abort()
            return
        for packet in packets:
            try:
                messages = read(packet)
            except BadPacket:
                self.bad += 1
                continue
            for one in messages:
                self._take(one.address, one.arguments)

    def _take(self, address: str, arguments: tuple[object, ...]) -> None:
        if address == "/pong":
            self.round_trip = self._now() - self._pinged
            if not self._open and arguments[:1] == ("attacca",):
                self.program, self.version = (str(a) for a in (*arguments, "")[:2])
                self._open = True
                self.opened.emit()
            return
        if self._open:
            self.received.emit(address, arguments)

    def _disconnected(self) -> None:
        self._lost("the engine closed the connection")

    def _failed(self, _: QAbstractSocket.SocketError) -> None:
        self._lost(f"{self.host} port {self.port}: {self._socket.errorString()}")

    def _lost(self, reason: str) -> None:
        if self._open:
            self._open = False
            self.closed.emit(reason)

    def _tick(self) -> None:
        now, state = self._now(), self._socket.state()
        if state == QAbstractSocket.SocketState.UnconnectedState:
            if self._wanted:
                self._try()
        elif state == QAbstractSocket.SocketState.ConnectedState:
            if now - self._received_at > _SILENCE:
                self._lost(f"the engine has not answered for {_SILENCE:.0f} s")
                self._socket.abort()
            elif now - self._pinged >= _PING / 1000:
                self._ping()
        elif now - self._tried > _TRY:
            self._socket.abort()
