"""Other packs, targets and sound devices, the last minute, and the end, over OSC.

Runs in the OSC thread. What takes seconds (opening a pack, looking for devices) is done in a thread
of its own beside it, apart from that of files, so that neither holds the other or a control up. The
client is told by `/progress ADDRESS FRACTION` how far it is, and by `/done` or `/error` at the end.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.audio.scan import scan
from engine.audio.take_names import NewTake
from engine.errors import AttaccaError, ConfigError
from engine.execution.targets import TARGETS, known_target
from engine.instrument import Instrument
from engine.packs.discovery import installed_packs
from engine.packs.plan import block_seconds
from engine.packs.read import read_manifest
from engine.packs.verdicts import kept_verdict
from osc.clients import Client, Clients
from osc.handlers import Handler, Later, Slow
from osc.values import number_of, pressed, text_of

__all__ = ["Changes"]

NONE = "none"  # the name of no device
_LONGEST = 60.0  # seconds that are kept
_STEP = 0.05  # of progress that is worth telling


class Changes:
    """Commands that change what plays, and where.

    Parameters
    ----------
    instrument : playing.
    clients : who asks.
    slow : carries out what takes seconds.
    files : carries out what waits for a disk.
    later : carries out in the OSC thread, from any thread.
    recordings : the folder of what is kept.
    leave : ends the program; None where it is not OSC's to end.
    """

    def __init__(
        self,
        instrument: Instrument,
        clients: Clients,
        slow: Slow,
        files: Slow,
        later: Later,
        recordings: Path,
        leave: Callable[[], None] | None,
    ) -> None:
        self._instrument, self._clients, self._slow, self._files = instrument, clients, slow, files
        self._later, self._recordings, self._leave = later, recordings, leave

    def handlers(self) -> Mapping[str, Handler]:
        """What answers to which address."""
        return {
            "/packs/load": self._load, "/packs/list": self._packs, "/target": self._target,
            "/target/list": self._targets, "/device/select": self._select,
            "/device/list": self._devices, "/record/keep": self._keep,
            "/xruns/reset": self._forget_xruns, "/quit": self._quit,
        }  # fmt: skip

    # ------------------------------------------------------------------ packs

    def _load(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/packs/load"
        if not arguments:
            self._clients.answer(client, address, self._instrument.manifest.name)
            return
        name = text_of(address, arguments[0])
        packs = installed_packs()
        if name not in packs:  # a name, never a path
            have = ", ".join(packs) or "none"
            raise ConfigError(f"{address}: there is no pack {name[:60]!r}; there are: {have}")
        progress = self._progress(client, address)
        self._slow(
            client, address, lambda: self._instrument.load(packs[name], progress), lambda _: name
        )

    def _progress(self, client: Client, address: str) -> Callable[[float], None]:
        """Sends a client how far its change is; called in the thread of the change."""
        sent = -1.0

        def progress(fraction: float) -> None:
            nonlocal sent
            if fraction - sent >= _STEP or fraction >= 1.0 > sent:
                sent = fraction
                self._later(
                    client, address,
                    lambda: self._clients.answer(client, "/progress", address, float(fraction)),
                )  # fmt: skip

        return progress

    def _packs(self, client: Client, _: Sequence[object]) -> None:
        def tell(found: object) -> None:
            assert isinstance(found, list)
            for about in found:
                self._clients.answer(client, "/packs/info", *about)
            self._clients.answer(client, "/packs/list/end", len(found))

        self._files(client, "/packs/list", _about_packs, tell)

    # ------------------------------------------------------------------ targets

    def _target(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/target"
        if not arguments:
            self._clients.answer(client, address, self._instrument.target)
            return
        name = known_target(text_of(address, arguments[0])).name
        progress = self._progress(client, address)
        self._slow(
            client, address, lambda: self._instrument.change_target(name, progress), lambda _: name
        )

    def _targets(self, client: Client, _: Sequence[object]) -> None:
        offered = self._instrument.targets
        for t in TARGETS.values():
            self._clients.answer(
                client, "/target/info", t.name, t.about, t.package, int(t.name in offered)
            )
        self._clients.answer(client, "/target/list/end", len(TARGETS))

    # ------------------------------------------------------------------ devices

    def _select(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/device/select"
        if not arguments:
            self._clients.answer(client, address, self._instrument.status().device)
            return
        name = text_of(address, arguments[0])

        def work() -> object:
            self._instrument.move(None if name == NONE else name)
            return self._instrument.status().device

        self._slow(client, address, work, str)

    def _devices(self, client: Client, _: Sequence[object]) -> None:
        def tell(found: object) -> None:
            assert isinstance(found, tuple)
            for d in found:
                self._clients.answer(
                    client, "/device/info", d.name, d.host_api, d.channels, d.default_rate,
                    float(1000 * d.latency_s), int(d.default),
                )  # fmt: skip
            self._clients.answer(client, "/device/list/end", len(found))

        self._slow(client, "/device/list", scan, tell)

    # ------------------------------------------------------------------ the rest

    def _keep(self, client: Client, arguments: Sequence[object]) -> None:
        address = "/record/keep"
        seconds = number_of(address, arguments[0]) if arguments else _LONGEST
        if not seconds > 0:
            raise ConfigError(f"{address}: {seconds:g} s; give up to {_LONGEST:g} seconds")

        def work() -> object:
            return self._instrument.save_recent(
                NewTake(self._recordings), min(seconds, _LONGEST)
            ).path

        self._files(client, address, work, str)

    def _forget_xruns(self, _: Client, arguments: Sequence[object]) -> None:
        if pressed("/xruns/reset", arguments):
            self._instrument.reset_xruns()

    def _quit(self, client: Client, arguments: Sequence[object]) -> None:
        if not pressed("/quit", arguments):
            return
        if self._leave is None or not _local(client):
            raise ConfigError("/quit: only a program on the same machine may end Attacca")
        self._clients.answer(client, "/done", "/quit", "")
        self._leave()


def _local(client: Client) -> bool:
    try:
        return ipaddress.ip_address(client.target.host).is_loopback
    except ValueError:
        return False


def _about_packs() -> list[tuple[str | int | float, ...]]:
    """Of every pack what /packs/info tells, in its order."""
    found: list[tuple[str | int | float, ...]] = []
    for name, folder in installed_packs().items():
        try:
            m = read_manifest(folder)
            size = sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) / 1e6
            found.append((
                name, m.title, m.version, m.licence, m.rate, m.channels, block_seconds(m),
                float(size), "",
                kept_verdict(m.name, m.version),
            ))  # fmt: skip
        except (AttaccaError, OSError) as error:
            found.append((name, "", "", "", 0, 0, 0.0, 0.0, str(error)[:300], ""))
    return found
