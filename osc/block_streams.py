"""Streams of blocks, of the playhead and of the spectrogram of generated music.

Everything is on one axis: seconds of music, as `Instrument.horizon` counts them. The axis stands
still while the music is paused, and continues over a panic and a change of pack. Music that was
generated and then dropped is announced as `/picture/clear from`. Runs in the OSC thread, except
`add`, which the feeder calls.

The OSC thread computes at most `_SLICE` columns per tick, 200 times a second, once for all clients;
it sends each client at most one message per tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

from engine.audio.spectrogram import Spectrogram
from engine.audio.spectrum import Hertz
from engine.errors import AttaccaError
from engine.instrument import Instrument
from engine.stream.block_events import BlockEvent, DroppedAudio, GeneratedBlock
from osc.clients import Client, Clients
from osc.packets import Double, message
from osc.stream_messages import picture

__all__ = ["NAMES", "BlockStreams"]

NAMES = ("blocks", "picture", "playhead")
_SLICE = 6  # columns: half a millisecond
_SENT = 12  # columns: with 96 bands 1,152 bytes, a message under 1,400
_MOST = 64  # blocks that wait for the OSC thread


class BlockStreams:
    """The block streams of one server.

    Parameters
    ----------
    instrument : must be playing.
    clients : those with these streams receive messages.
    middles : returns the bands' centre frequencies in Hz.
    """

    def __init__(
        self,
        instrument: Instrument,
        clients: Clients,
        middles: Callable[[], Hertz],
    ) -> None:
        self._instrument, self._clients, self._middles = instrument, clients, middles
        self._waiting: deque[BlockEvent] = deque(maxlen=_MOST)
        self._picture: Spectrogram | None = None
        self._next: WeakKeyDictionary[Client, int] = WeakKeyDictionary()  # column
        self._stop_listening = instrument.listen_blocks(self.add)

    def add(self, event: BlockEvent) -> None:
        """Any thread: queue a block that was generated, or audio that was dropped."""
        self._waiting.append(event)

    def close(self) -> None:
        """Stop listening to blocks."""
        self._stop_listening()

    # ------------------------------------------------------------------ the OSC thread

    def tick(self) -> None:
        """Send new blocks, and some columns of the picture."""
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, DroppedAudio):
                self._dropped(event)
            else:
                self._block(event)
        self._paint()

    def playhead(self) -> bytes:
        """The message with the positions played, generated and audible."""
        try:
            played, made = self._instrument.extent()
            live = self._instrument.latencies().live
        except AttaccaError:  # the instrument is closed
            return message("/playhead")
        audible = max(0.0, played - live)
        return message("/playhead", Double(played), Double(made), Double(audible))

    def _block(self, block: GeneratedBlock) -> None:
        self._to_all(
            "blocks",
            message(
                "/block", block.index, Double(block.start), float(block.seconds), block.steps,
                float(block.rewind), float(block.load), int(block.eased),
            ),
        )  # fmt: skip
        painted = self._picture
        middles = self._middles()
        if painted is None or painted.rate != block.rate or painted.top != middles[-1]:
            painted = self._picture = Spectrogram(block.rate, middles)
            first = painted.add(block.start, block.samples)
            for client in self._next:
                self._next[client] = first
            return
        first = painted.add(block.start, block.samples)
        for client, column in self._next.items():
            self._next[client] = min(column, first)

    def _dropped(self, dropped: DroppedAudio) -> None:
        if self._picture is not None:
            column = self._picture.cut(dropped.start)
            for client, at in self._next.items():
                self._next[client] = min(at, column)
        self._to_all("picture", message("/picture/clear", Double(dropped.start)))

    def _paint(self) -> None:
        """Compute some columns, and send some to each client."""
        painted = self._picture
        wanting = [c for c in self._clients.all() if "picture" in c.streams]
        for client in set(self._next) - set(wanting):
            del self._next[client]
        if painted is None or not wanting:
            return
        for client in wanting:
            if client not in self._next:  # a new stream starts at the playhead
                played = int(self._instrument.extent()[0] * painted.rate)
                self._next[client] = played // painted.hop
        painted.skip(min(self._next.values()))
        painted.compute(_SLICE)
        messages: dict[tuple[int, int], bytes] = {}
        for client in wanting:
            first = max(self._next[client], painted.first)
            count = min(_SENT, painted.computed - first)
            if count == _SENT or (count > 0 and painted.computed >= painted.ready):
                if (first, count) not in messages:
                    messages[first, count] = self._columns(painted, first, count)
                self._clients.stream(client, messages[first, count])
                first += count
            self._next[client] = first

    @staticmethod
    def _columns(painted: Spectrogram, first: int, count: int) -> bytes:
        hop = painted.hop / painted.rate
        columns = painted.columns(first, count)
        return picture("/picture", first * hop, hop, len(columns) // count, columns)

    def _to_all(self, name: str, data: bytes) -> None:
        for client in self._clients.all():
            if name in client.streams:
                self._clients.stream(client, data)
