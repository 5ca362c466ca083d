"""What a performer does over OSC: transport, keys, recording, presets, undo.

Runs in the OSC thread. Files are read and written in one thread beside it, so that a slow disk
holds no control up; when such work is done the client is told with `/done ADDRESS WHAT`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.audio.take_names import NewTake
from engine.controls.bus import Origin
from engine.instrument import Instrument
from engine.presets import Presets, checked_name
from engine.time.quantised_actions import RECALL, RECORD, RESET
from osc.clients import Client, Clients
from osc.control import Controls
from osc.handlers import Handler, Later, Slow
from osc.name_lists import NameList, only_name
from osc.quantised import Quantised, until_block, until_output, until_recorded
from osc.values import pressed

__all__ = ["Performance"]


@dataclass(frozen=True)
class Library:
    """The folders that OSC may read and write in, and nothing outside of them."""

    folder: Path

    @property
    def presets(self) -> Path:
        """Of controls."""
        return self.folder / "presets"

    @property
    def recordings(self) -> Path:
        """Of takes."""
        return self.folder / "recordings"


class Performance:
    """Buttons and commands.

    Parameters
    ----------
    instrument : playing.
    controls, clients : of the same server.
    library : the folder for presets and recordings.
    slow : carries out what may wait for a disk.
    later : carries out, in the OSC thread, what waited for the beat.
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
        self._names = NameList(clients, "/preset/list")
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
        """What answers to which address."""
        buttons = {path: partial(self._press, path) for path in self._buttons}
        return {**buttons, **self._commands}

    def _press(self, address: str, client: Client, arguments: Sequence[object]) -> None:
        if pressed(address, arguments):
            self._buttons[address](client)

    def _list(self, client: Client, _: Sequence[object]) -> None:
        def tell(names: object) -> str:
            assert isinstance(names, list)
            self._names.answer(client, names)
            return str(len(names))

        self._slow(client, "/preset/list", self._presets.names, tell)

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
        """The take that `/record` asks for; None ends the recording."""
        recordings = self._library.recordings
        if isinstance(argument, str) and not argument.replace(".", "", 1).isdigit():
            return NewTake(recordings, checked_name("/record", argument))
        return NewTake(recordings) if pressed("/record", [argument]) else None

    def _save(self, client: Client, arguments: Sequence[object]) -> None:
        name = only_name("/preset/save", arguments)
        values = self._instrument.settings.for_presets()
        pack = self._instrument.manifest.name

        def work() -> object:
            self._presets.save(name, values, pack)
            return self._presets.names()

        self._slow(client, "/preset/save", work, lambda names: self._changed(name, names))

    def _changed(self, name: str, names: object) -> str:
        """A preset was saved or deleted."""
        assert isinstance(names, list)
        self._names.publish(names)
        return name

    def _recall(self, client: Client, arguments: Sequence[object]) -> None:
        name = only_name("/preset/recall", arguments)
        loaded: list[Mapping[str, object]] = []
        left: list[str] = []  # what this pack does not take

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
                # Each kind so early that both are audible on the beat.
                (lambda: restore("block"), until_block), (restore_live, until_output),
            )  # fmt: skip
            return None

        def restore(when: str = "") -> None:
            values = loaded[0]
            self._step(lambda: left.extend(self._instrument.controls.restore(values, when).left))
            if left and when != "block":
                self._clients.answer(client, "/preset/recall/left", name, *dict.fromkeys(left))

        self._slow(client, "/preset/recall", lambda: self._presets.load(name), set_all)

    def _delete(self, client: Client, arguments: Sequence[object]) -> None:
        name = only_name("/preset/delete", arguments)

        def work() -> object:
            self._presets.delete(name)
            return self._presets.names()

        self._slow(client, "/preset/delete", work, lambda names: self._changed(name, names))
