"""Commands of a performer: transport, recording, presets, undo.

Runs in the OSC thread. A separate thread reads and writes files, so that a slow disk delays no
control; the client receives `/done ADDRESS WHAT` when such work is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.audio.take_names import NewTake
from engine.controls.bus import Origin
from engine.errors import ConfigError
from engine.instrument import Instrument
from engine.presets import Presets, checked_name
from engine.time.quantised_actions import RECALL, RECORD, RESET
from osc.clients import Client, Clients
from osc.control import Controls
from osc.handlers import Handler, Later, Slow
from osc.quantised import Quantised, until_block, until_output, until_recorded
from osc.values import pressed, text_of

__all__ = ["Performance"]

_DATAGRAM_BYTES, _STREAM_BYTES = 1_200, 60_000  # of names that go into one message


@dataclass(frozen=True)
class Library:
    """The only folders that OSC may read and write."""

    folder: Path

    @property
    def presets(self) -> Path:
        """The folder of presets."""
        return self.folder / "presets"

    @property
    def recordings(self) -> Path:
        """The folder of recordings."""
        return self.folder / "recordings"


class Performance:
    """Handlers of buttons and commands.

    Parameters
    ----------
    instrument : must be playing.
    controls, clients : of the same server.
    library : the folder for presets and recordings.
    slow : runs work that may wait for a disk.
    later : runs actions that waited for the beat, in the OSC thread.
    """

    def __init__(
        self,
        instrument: Instrument,
        controls: Controls,
        clients: Clients,
        library: Path,
        slow: Slow,
        later: Later,
    ) -> None:
        self._instrument, self._controls, self._clients = instrument, controls, clients
        self._library, self._slow = Library(library), slow
        self._presets = Presets(self._library.presets)
        self._quantised = Quantised(instrument, clients, later)
        self._buttons: dict[str, Callable[[Client], None]] = {
            "/play": lambda client: self._pause(client, False),
            "/stop": lambda client: self._pause(client, True),
            "/panic": self._panic,
            "/reset": self._reset,
            "/tap": self._tap,
            "/downbeat": lambda _: instrument.tempo.start(),
            "/undo": lambda _: self._step(instrument.controls.undo),
            "/redo": lambda _: self._step(instrument.controls.redo),
        }
        self._commands: dict[str, Handler] = {
            "/record": self._record, "/preset/save": self._save,
            "/preset/recall": self._recall, "/preset/delete": self._delete,
            "/preset/list": self._list,
        }  # fmt: skip

    def handlers(self) -> Mapping[str, Handler]:
        """The handler of each address."""
        buttons = {path: partial(self._press, path) for path in self._buttons}
        return {**buttons, **self._commands}

    def _press(self, address: str, client: Client, arguments: Sequence[object]) -> None:
        if pressed(address, arguments):
            self._buttons[address](client)

    def _list(self, client: Client, _: Sequence[object]) -> None:
        def tell(names: object) -> str:
            assert isinstance(names, list)
            self._answer_names(client, names)
            return str(len(names))

        self._slow(client, "/preset/list", self._presets.names, tell)

    def _answer_names(self, client: Client, names: Sequence[str]) -> None:
        most = _most_names(names, _STREAM_BYTES if client.target.connection else _DATAGRAM_BYTES)
        self._clients.answer(client, "/preset/list", *names[:most])

    def _publish_names(self, names: Sequence[str]) -> None:
        """Send the names to every subscriber after a change."""
        for client in self._clients.all():
            if client.patterns:
                self._answer_names(client, names)

    # ------------------------------------------------------------------ one by one

    def _pause(self, client: Client, pause: bool) -> None:
        self._instrument.controls.set({"pause": pause}, Origin("osc"))
        self._controls.publish()
        self._clients.flush()

    def _step(self, step: Callable[[], object]) -> None:
        step()
        self._controls.publish()
        self._clients.flush()

    def _panic(self, _: Client) -> None:
        self._instrument.panic()
        self._controls.publish()
        self._clients.flush()

    def _reset(self, client: Client) -> None:
        self._quantised.at(client, RESET, "/reset", (), (self._instrument.new_piece, until_block))

    def _tap(self, client: Client) -> None:
        bpm = self._instrument.tempo.tap()
        if bpm is not None and "/tempo" not in client.wanted:
            self._clients.answer(client, "/tempo", bpm)

    def _record(self, client: Client, arguments: Sequence[object]) -> None:
        if not arguments:
            path = self._instrument.status().recording
            self._clients.answer(client, "/record", str(path or ""))
            return
        take = self._take(arguments[0])

        def begin_or_end() -> None:
            self._slow(
                client, "/record", lambda: self._instrument.record(take), lambda to: str(to or "")
            )

        self._quantised.at(
            client, RECORD, "/record", (take.name or "new" if take else "",),
            (begin_or_end, until_recorded),
        )  # fmt: skip

    def _take(self, argument: object) -> NewTake | None:
        """The recording that `/record` starts; None ends the current one."""
        recordings = self._library.recordings
        if isinstance(argument, str) and not argument.replace(".", "", 1).isdigit():
            return NewTake(recordings, checked_name("/record", argument))
        return NewTake(recordings) if pressed("/record", [argument]) else None

    def _save(self, client: Client, arguments: Sequence[object]) -> None:
        name = _name("/preset/save", arguments)
        values = self._instrument.settings.for_presets()
        pack = self._instrument.manifest.name

        def work() -> object:
            self._presets.save(name, values, pack)
            return self._presets.names()

        self._slow(client, "/preset/save", work, lambda names: self._changed(name, names))

    def _changed(self, name: str, names: object) -> str:
        """A preset was saved or deleted."""
        assert isinstance(names, list)
        self._publish_names(names)
        return name

    def _recall(self, client: Client, arguments: Sequence[object]) -> None:
        name = _name("/preset/recall", arguments)
        loaded: list[Mapping[str, object]] = []
        left: list[str] = []  # controls that this pack does not have

        def set_all(values: object) -> str | None:
            assert isinstance(values, dict)
            loaded.append(values)
            if self._instrument.settings["quantise"] == "off":
                self._instrument.quantised_actions.cancel(RECALL)
                restore()
                return name

            def restore_live() -> None:
                restore("live")
                self._clients.answer(client, "/done", "/preset/recall", name)

            self._quantised.at(
                client, RECALL, "/preset/recall", (name,),
                # Each kind early enough to be audible on the beat.
                (lambda: restore("block"), until_block), (restore_live, until_output),
            )  # fmt: skip
            return None

        def restore(when: str = "") -> None:
            values = loaded[0]
            self._step(
                lambda: left.extend(self._instrument.controls.restore(values, when).not_applied)
            )
            if left and when != "block":
                self._clients.answer(client, "/preset/recall/left", name, *dict.fromkeys(left))

        self._slow(client, "/preset/recall", lambda: self._presets.load(name), set_all)

    def _delete(self, client: Client, arguments: Sequence[object]) -> None:
        name = _name("/preset/delete", arguments)

        def work() -> object:
            self._presets.delete(name)
            return self._presets.names()

        self._slow(client, "/preset/delete", work, lambda names: self._changed(name, names))


def _name(address: str, arguments: Sequence[object]) -> str:
    """The name of a preset; a number is a name too, since pads send numbers."""
    if len(arguments) != 1:
        raise ConfigError(f"{address}: {len(arguments)} arguments; send one name")
    argument = arguments[0]
    if isinstance(argument, (int, float)) and not isinstance(argument, bool):
        argument = f"{argument:g}"
    return checked_name(address, text_of(address, argument))


def _most_names(names: Sequence[str], room: int) -> int:
    """How many of the names fit into one message of a size."""
    size = 0
    for i, name in enumerate(names):
        size += len(name.encode()) + 5
        if size > room:
            return i
    return len(names)
