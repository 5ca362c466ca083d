"""Returning to moments of the music over OSC: snapshots, going back, forking.

Runs in the OSC thread. Files are read and written in one thread beside it; when that is done the
client receives `/done ADDRESS NAME`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.moments import When, checked_when
from engine.snapshots import Snapshots
from engine.stream.snapshot import Snapshot
from osc.clients import Client, Clients
from osc.control import Controls
from osc.handlers import Handler, Later, Slow
from osc.name_lists import NameList, name_of, only_name
from osc.values import number_of, text_of

__all__ = ["Moments"]

_MOST = 2**31  # of any number here
_BEATS, _BARS, _BLOCKS = "/go_back/beats", "/go_back/bars", "/go_back/blocks"


class Moments:
    """Commands.

    Parameters
    ----------
    instrument : playing.
    controls, clients : of the same server.
    folder : of the snapshots.
    slow : carries out what may wait for a disk.
    later : carries out, in the OSC thread, what happens in another.
    """

    def __init__(
        self,
        instrument: Instrument,
        controls: Controls,
        clients: Clients,
        folder: Path,
        slow: Slow,
        later: Later,
    ) -> None:
        self._instrument, self._controls, self._clients = instrument, controls, clients
        self._slow, self._later = slow, later
        self._snapshots = Snapshots(folder)
        self._names = NameList(clients, "/snapshot/list")

    def handlers(self) -> Mapping[str, Handler]:
        """What answers to which address."""
        music = self._instrument
        return {
            "/snapshot/take": self._take, "/snapshot/recall": self._recall,
            "/snapshot/delete": self._delete, "/snapshot/list": self._list,
            "/go_back": self._go_back, "/fork": self._fork,
            _BEATS: self._counted(_BEATS, lambda count: music.go_back(beats=count)),
            _BARS: self._counted(_BARS, lambda count: music.go_back(beats=count * self._beats)),
            _BLOCKS: self._counted(_BLOCKS, lambda count: music.go_back(blocks=round(count))),
        }  # fmt: skip

    @property
    def _beats(self) -> float:
        """In a bar."""
        return self._instrument.settings.number("beats")

    # ------------------------------------------------------------------ snapshots

    def _take(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/snapshot/take"
        name = ""
        if arguments and isinstance(arguments[0], str):
            name = name_of(address, arguments[0])
        elif not _count(address, arguments):
            return
        snapshot = self._instrument.take_snapshot()

        def work() -> object:
            return self._snapshots.save(snapshot, name), self._snapshots.names()

        self._slow(client, address, work, self._saved)

    def _saved(self, saved: object) -> str:
        name, names = cast(tuple[str, list[str]], saved)
        self._names.publish(names)
        return name

    def _recall(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/snapshot/recall"
        first, *rest = arguments or (1,)
        name = ""
        if isinstance(first, str):
            name = name_of(address, first)
        elif not _count(address, [first]):
            return
        if len(rest) > 1:
            raise ConfigError(f"{address}: {len(arguments)} arguments; send a name and a time")
        when = checked_when(address, text_of(address, rest[0])) if rest else None

        def work() -> object:
            return self._snapshots.load(name)

        self._slow(client, address, work, lambda found: self._go_to(client, address, found, when))

    def _go_to(self, client: Client, address: str, found: object, when: When | None) -> str | None:
        name, snapshot = cast(tuple[str, Snapshot], found)
        pending = partial(self._clients.answer, client, f"{address}/pending", name)

        def done() -> None:
            pending(0.0)
            self._clients.answer(client, "/done", address, name)
            self._publish()

        left = self._instrument.recall(
            snapshot, when,
            done=lambda: self._later(client, address, done),
            dropped=lambda: self._later(client, address, lambda: pending(-1.0)),
        )  # fmt: skip
        self._publish()
        if not left:
            return name
        pending(left)
        return None

    def _delete(self, client: Client, arguments: Sequence[object]) -> None:
        name = only_name("/snapshot/delete", arguments)

        def work() -> object:
            self._snapshots.delete(name)
            return name, self._snapshots.names()

        self._slow(client, "/snapshot/delete", work, self._saved)

    def _list(self, client: Client, _: Sequence[object]) -> None:
        def tell(names: object) -> str:
            found = cast(list[str], names)
            self._names.answer(client, found)
            return str(len(found))

        self._slow(client, "/snapshot/list", self._snapshots.names, tell)

    # ------------------------------------------------------------------ going back

    def _go_back(self, _: Client, arguments: Sequence[object]) -> None:
        if len(arguments) != 1:
            raise ConfigError(f"/go_back: {len(arguments)} arguments; send the seconds")
        self._instrument.go_back(number_of("/go_back", arguments[0]))

    def _counted(self, address: str, go_back: Callable[[float], object]) -> Handler:
        """Acts on a number; 1 without one, and 0, which a button sends as it comes up, is none."""

        def handle(_: Client, arguments: Sequence[object]) -> None:
            count = _count(address, arguments)
            if count:
                go_back(count)

        return handle

    def _fork(self, _: Client, arguments: Sequence[object]) -> None:
        seed = _count("/fork", arguments)
        if seed:
            self._instrument.fork(round(seed) if seed > 1 else None)
            self._publish()

    def _publish(self) -> None:
        self._controls.publish()
        self._clients.flush()


def _count(address: str, arguments: Sequence[object]) -> float:
    """The number of a message, 1 without one."""
    if len(arguments) > 1:
        raise ConfigError(f"{address}: {len(arguments)} arguments; send one number, or none")
    count = number_of(address, arguments[0]) if arguments else 1.0
    if not 0 <= count < _MOST:
        raise ConfigError(f"{address}: {count:g} cannot be used; send 0 to {_MOST - 1}")
    return count
