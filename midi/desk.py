"""The MIDI desk: controllers, keys and program changes control an instrument; its notes go out.

One thread owns the ports, the mappings and the keys. The MIDI library's threads put incoming
messages into a bounded queue; messages that arrive together are set in one change. `start`, `stop`
and the commands of a window (`arm`, `forget`, `set_takeover`, `set_mode`, `mappings`, `ports`,
`figures`) may be called from any thread: they use immutable values. Another thread reads and writes
files.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import mido

from engine.controls.bus import MIDI
from engine.errors import AttaccaError, ConfigError, StorageError, WorkerError
from engine.instrument import Instrument
from engine.notes.note import NoteEvent
from engine.status import Event
from midi import store
from midi.arrivals import Arrivals
from midi.backend import Backend, open_backend
from midi.clock import Leader
from midi.figures import MidiFigures
from midi.keys import HeldKeys
from midi.mapping import Mapping, with_mode
from midi.message import Message
from midi.moments import Moments
from midi.note_output import NoteOutput
from midi.ports import ALL, Port, Ports, plain
from midi.programs import Programs
from midi.steering import Steering

__all__ = ["MidiDesk"]

Realtime = Callable[[Message, float], None]
_REALTIME = frozenset({"clock", "start", "stop", "continue", "songpos"})
_MOST = 4096  # messages that wait
_SCAN = 1.0  # seconds between two scans of the system's ports
_LAST = 0.06  # seconds from the last message until its port is closed
_START = 15.0  # seconds that opening the ports may take
_STOP = 1.0  # seconds for the last note-offs and closing the ports
_log = logging.getLogger("attacca.midi")


class MidiDesk:
    """Controls `instrument` from MIDI.

    Parameters
    ----------
    instrument : must be playing.
    folder : the user's folder, with `midi.toml`, the presets and the snapshots.
    inputs : names or parts of names of input ports, or `all`; empty: no input.
    output : the port for the notes; "" is Attacca's own virtual port, None sends nothing.
    api : one of midi.backend.APIS; "" is the system's default.
    realtime : called with clock, start, stop, continue and song position messages and their times
        by the instrument's clock. Called in the desk's thread; it must not wait.
    backend : an open backend, if there is one.
    """

    def __init__(
        self,
        instrument: Instrument,
        *,
        folder: Path,
        inputs: Sequence[str] = (ALL,),
        output: str | None = "",
        api: str = "",
        realtime: Realtime | None = None,
        backend: Backend | None = None,
    ) -> None:
        self._instrument, self._folder, self._now = instrument, folder, instrument.now
        self._inputs, self._output, self._api = tuple(inputs), output, api
        self._realtime, self._backend, self._leader = realtime, backend, Leader()
        self._inbox: queue.Queue[tuple[str, list[int], float] | None] = queue.Queue(_MOST)
        self._requests: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._programs = Programs(instrument, folder, self._say, self._later)
        moments = Moments(instrument, folder / "snapshots", self._say, self._later)
        self._steering = Steering(
            instrument, self._say, {"record": self._programs.record, **moments.actions()}
        )
        self._arrivals, self._keys = Arrivals(), HeldKeys()
        self._loops: set[str] = set()  # ports whose loop has been reported
        self._held: tuple[int, ...] = ()
        self._without_keys: set[str] = set()  # packs reported as not using keys
        self._notes = NoteOutput(instrument.now, self._live)
        self._ports: Ports | None = None
        self._beside: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        self._ready, self._ending = threading.Event(), threading.Event()
        self._problem: AttaccaError | None = None
        self._stop_listening: tuple[Callable[[], None], ...] = ()
        self._received = self._sent = self._dropped = self._bad = self._faults = 0
        self._duplicates = self._echoes = 0

    # ------------------------------------------------------------------ any thread

    def start(self) -> None:
        """Open the ports and start.

        Raises
        ------
        MissingExtra, ConfigError, DeviceError
            MIDI is not available.
        """
        if self._backend is None:
            self._backend = open_backend(self._api)
        self._beside = ThreadPoolExecutor(1, "attacca-midi-files")
        self._thread = threading.Thread(target=self._run, name="attacca-midi", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START):
            raise WorkerError(
                f"midi: the ports did not open within {_START:g} s; use --no-midi "
                f"to play without MIDI"
            )
        if self._problem is not None:
            self.stop()
            raise self._problem
        self._stop_listening = (
            self._instrument.listen(self._take_event),
            self._instrument.listen_notes(self._take_note),
        )

    def stop(self) -> None:
        """Release all notes and close the ports; stopping twice is harmless.

        Work that does not end in time continues in its own thread.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        for stop in self._stop_listening:
            stop()
        self._ending.set()
        self._wake()
        thread.join(_STOP)
        if self._beside is not None:
            self._beside.shutdown()  # saves what was learned

    def __enter__(self) -> MidiDesk:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def arm(self, target: str) -> None:
        """Map the next controller that moves to `target`; "" cancels.

        Raises
        ------
        ConfigError
            The target is neither a control nor an action.
        """
        self._steering.check(target)
        self._do(lambda: self._steering.arm(target))

    def forget(self, target: str) -> None:
        """Remove the mapping of `target`.

        Raises
        ------
        ConfigError
            No controller is mapped to it.
        """
        if not any(m.target == target for m in self.mappings):
            raise ConfigError(
                f"midi: no controller is mapped to {target}; there is nothing to remove"
            )
        self._do(lambda: self._steering.forget(target))

    def set_mode(self, target: str, mode: str) -> None:
        """Set how the values of the target's controller are read (midi.relative.MODES).

        Raises
        ------
        ConfigError
            No controller is mapped to it, or the mode does not exist or apply.
        """
        with_mode(self.mappings, target, mode)
        self._do(lambda: self._steering.set_mode(target, mode))

    def set_takeover(self, on: bool) -> None:
        """Set whether a controller has no effect until it reaches its control's value."""
        self._do(lambda: self._steering.set_takeover(on))

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """All mappings."""
        return self._steering.kept.mappings

    @property
    def ports(self) -> tuple[Port, ...]:
        """The system's ports as last scanned, without Attacca's own."""
        return self._ports.seen if self._ports is not None else ()

    @property
    def figures(self) -> MidiFigures:
        """Counters, and the target that is being learned."""
        return MidiFigures(
            self._received, self._sent, self._dropped, self._bad, self._duplicates, self._echoes,
            self._faults, self._steering.armed, self._steering.kept.takeover,
        )  # fmt: skip

    @property
    def errors(self) -> dict[str, int]:
        """Errors, by names for display."""
        return {"MIDI dropped": self._dropped, "MIDI bad": self._bad, "MIDI faults": self._faults}

    def _do(self, command: Callable[[], object]) -> None:
        self._requests.put(command)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(queue.Full):  # the queue is full, so the thread is awake
            self._inbox.put_nowait(None)

    def _take_event(self, event: Event) -> None:
        if self._ending.is_set():
            return
        if event.kind == "panic":
            self._do(self._panic)
        elif event.kind == "pack":
            self._do(self._hold_again)

    def _take_note(self, note: NoteEvent) -> None:
        if not self._ending.is_set():
            self._notes.note(note)
            self._wake()

    def _take(self, port: str, data: list[int], at: float) -> None:
        """The MIDI library's threads: queue a message."""
        try:
            self._inbox.put_nowait((port, data, at))
        except queue.Full:
            self._dropped += 1

    def _say(self, text: str) -> None:
        self._instrument.publish_event("midi", text)

    def _live(self) -> float:
        try:
            return self._instrument.latencies().live
        except AttaccaError:  # the instrument is closed
            return 0.0

    # ------------------------------------------------------------------ the desk's thread

    def _run(self) -> None:
        assert self._backend is not None
        ports = Ports(
            self._backend, inputs=self._inputs, output=self._output, received=self._take,
            say=self._say, now=self._now,
        )  # fmt: skip
        try:
            self._load()
            ports.open()
        except AttaccaError as error:
            self._problem = error
            ports.close()
            return
        finally:
            self._ports = ports
            self._ready.set()
        scan = self._now() + _SCAN
        try:
            while not self._ending.is_set():
                self._guarded(self._turn, scan)
                if self._now() >= scan:
                    self._guarded(self._scan)
                    scan = self._now() + _SCAN
        finally:
            self._guarded(self._panic)
            # JACK repeats a client's last period while it closes: make sure that it is empty.
            time.sleep(_LAST)
            ports.close()

    def _load(self) -> None:
        path = self._folder / store.FILE
        try:
            self._steering.load(store.read(path))
        except StorageError as error:
            self._say(str(error).removeprefix("midi: "))
        self._steering.keep = lambda kept: self._later(lambda: store.write(path, kept))

    def _guarded(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except AttaccaError as error:
            self._say(str(error).removeprefix("midi: "))
        except Exception:  # a defect of ours: count it and keep playing
            self._faults += 1
            _log.exception("midi")

    def _turn(self, scan: float) -> None:
        """Wait for messages or due work, and handle all of it."""
        dues = (scan, self._steering.next_due, self._notes.next_due)
        wait = min(d for d in dues if d is not None) - self._now()
        try:
            item = self._inbox.get(timeout=max(wait, 0.0))
        except queue.Empty:
            item = None
        for _ in range(_MOST):
            if item is not None:
                self._guarded(self._message, *item)
            try:
                item = self._inbox.get_nowait()
            except queue.Empty:
                break
        while not self._requests.empty():
            self._guarded(self._requests.get_nowait())
        self._steering.settle(self._now())
        self._hold()
        for message in self._notes.due():
            self._send(message)

    def _message(self, port: str, data: list[int], at: float) -> None:
        self._received += 1
        try:
            message = cast(Message, mido.Message.from_bytes(data))
        except ValueError:
            self._bad += 1
            return
        if message.type in _REALTIME:
            if self._realtime is not None and self._leader.leads(port, message.type, at):
                self._realtime(message, at)
            return
        verdict = self._arrivals.classify(port, message, at)
        if verdict == "echo":
            self._echo(port)
            return
        self._duplicates += verdict == "duplicate"
        if message.type == "program_change":
            if verdict == "new":
                self._programs.recall(message.program + 1)
        # Held keys are shared by all ports, so duplicates add none.
        elif not self._steering.take(
            port, message, self._now(), is_duplicate=verdict == "duplicate"
        ):
            self._keys.take(port, message)

    def _echo(self, port: str) -> None:
        self._echoes += 1
        if port not in self._loops:
            self._loops.add(port)
            self._say(f"Attacca's own notes come back through {plain(port)}; they are ignored")

    def _hold(self) -> None:
        """Pass the keys that are held now to the instrument."""
        held = self._keys.held
        if held == self._held:
            return
        self._held = held
        manifest = self._instrument.manifest
        if self._instrument.settings.table.of_kind("keys"):
            self._instrument.hold(held, MIDI)
        elif held and manifest.name not in self._without_keys:
            self._without_keys.add(manifest.name)
            self._say(f"pack {manifest.name!r} does not use held keys; they have no effect")

    def _hold_again(self) -> None:
        """Pass the held keys to a new pack."""
        self._held = ()
        self._hold()

    def _send(self, message: Message) -> None:
        if self._ports is not None and self._ports.send(message.bytes()):
            self._sent += 1
            self._arrivals.sent(message, self._now())

    def _scan(self) -> None:
        assert self._ports is not None
        self._ports.scan()
        gone, self._ports.gone = self._ports.gone, []
        for port in gone:
            self._keys.forget(port)
            self._steering.forget_port(port)
            self._arrivals.forget(port)
        self._hold()

    def _panic(self) -> None:
        for message in self._notes.all_notes_off():
            self._send(message)
        self._keys.forget()
        self._hold()

    # ------------------------------------------------------------------ beside it

    def _later(self, work: Callable[[], object]) -> None:
        """Run work that may wait for a disk."""
        if self._beside is not None:
            self._beside.submit(self._guarded, work)
