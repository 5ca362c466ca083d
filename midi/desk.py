"""The MIDI desk: controllers, keys and programs steer an instrument, and its notes go out.

One thread owns the ports, the mappings and the keys. What comes in is put into a bounded queue by
the MIDI library's own threads; all that came together is set in one change. `start`, `stop` and
what a window asks (`arm`, `forget`, `set_takeover`, `set_mode`, `mappings`, `ports`, `figures`) may
be called from any thread: they hand over immutable values and read them. Files are read and written
in one thread beside it.
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
from midi.heard_notes import HeardNotes
from midi.keys import HeldKeys
from midi.mapping import Mapping, with_mode
from midi.message import Message
from midi.moments import Moments
from midi.ports import ALL, Port, Ports, plain
from midi.programs import Programs
from midi.steering import Steering

__all__ = ["MidiDesk"]

Realtime = Callable[[Message, float], None]
_REALTIME = frozenset({"clock", "start", "stop", "continue", "songpos"})
_MOST = 4096  # messages that wait
_SCAN = 1.0  # seconds between two looks at the system's ports
_LAST = 0.06  # seconds from the last message to the end of its port
_START = 15.0  # seconds that opening the ports may take
_STOP = 1.0  # seconds that letting the notes go and closing the ports may take
_log = logging.getLogger("attacca.midi")


class MidiDesk:
    """Steers `instrument` from MIDI.

    Parameters
    ----------
    instrument : playing.
    folder : the user's, with `midi.toml`, the presets and the snapshots.
    inputs : names or parts of names of the ports to listen to, or `all`; none listens to nothing.
    output : the port for the notes; "" is a port of Attacca's own, None sends nothing.
    api : of midi.backend.APIS; "" is the system's.
    realtime : is given clock, start, stop, continue and song position, with the time of
        the instrument's clock at which each came in. Called in the desk's thread; it must not wait.
    backend : of the system's MIDI, when it is open already.
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
        self._asked: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._programs = Programs(instrument, folder, self._say, self._later)
        moments = Moments(instrument, folder / "snapshots", self._say, self._later)
        self._steering = Steering(
            instrument, self._say, {"record": self._programs.record, **moments.actions()}
        )
        self._arrivals, self._keys = Arrivals(), HeldKeys()
        self._loops: set[str] = set()  # ports of which it was said that the notes return there
        self._held: tuple[int, ...] = ()
        self._unheard: set[str] = set()  # packs of which it was said that they hear no keys
        self._notes = HeardNotes(instrument.now, self._live)
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
        """Open the ports and begin.

        Raises
        ------
        MissingExtra, ConfigError, DeviceError
            There is no MIDI to be had, in one line.
        """
        if self._backend is None:
            self._backend = open_backend(self._api)
        self._beside = ThreadPoolExecutor(1, "attacca-midi-files")
        self._thread = threading.Thread(target=self._run, name="attacca-midi", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START):
            raise WorkerError(f"midi: the ports were not open after {_START:g} s; try --no-midi")
        if self._problem is not None:
            self.stop()
            raise self._problem
        self._stop_listening = (
            self._instrument.listen(self._heard_event),
            self._instrument.listen_notes(self._heard_note),
        )

    def stop(self) -> None:
        """Let all notes go, in and out, and give the ports back; stopping twice is harmless.

        What does not end in time goes on in its own thread.
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
            self._beside.shutdown()  # what was learnt is kept

    def __enter__(self) -> MidiDesk:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def arm(self, target: str) -> None:
        """The next controller that moves will move `target`; "" waits for none.

        Raises
        ------
        ConfigError
            It is neither a control nor an action.
        """
        self._steering.check(target)
        self._do(lambda: self._steering.arm(target))

    def forget(self, target: str) -> None:
        """Nothing moves `target` any more.

        Raises
        ------
        ConfigError
            Nothing does now.
        """
        if not any(m.target == target for m in self.mappings):
            raise ConfigError(f"midi: nothing moves {target}; nothing to forget")
        self._do(lambda: self._steering.forget(target))

    def set_mode(self, target: str, mode: str) -> None:
        """How the values of what moves `target` are read: a mode of midi.relative.MODES.

        Raises
        ------
        ConfigError
            No controller moves it, or there is no such mode for it.
        """
        with_mode(self.mappings, target, mode)
        self._do(lambda: self._steering.set_mode(target, mode))

    def set_takeover(self, on: bool) -> None:
        """Whether a controller moves nothing until it has met its control."""
        self._do(lambda: self._steering.set_takeover(on))

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """What moves what."""
        return self._steering.kept.mappings

    @property
    def ports(self) -> tuple[Port, ...]:
        """The system's ports, as they were seen last; without Attacca's own."""
        return self._ports.seen if self._ports is not None else ()

    @property
    def figures(self) -> MidiFigures:
        """Counts, and what is being learnt."""
        return MidiFigures(
            self._received, self._sent, self._dropped, self._bad, self._duplicates, self._echoes,
            self._faults, self._steering.armed, self._steering.kept.takeover,
        )  # fmt: skip

    @property
    def errors(self) -> dict[str, int]:
        """What went wrong here, by names for people."""
        return {"MIDI dropped": self._dropped, "MIDI bad": self._bad, "MIDI faults": self._faults}

    def _do(self, command: Callable[[], object]) -> None:
        self._asked.put(command)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(queue.Full):  # it is awake
            self._inbox.put_nowait(None)

    def _heard_event(self, event: Event) -> None:
        if self._ending.is_set():
            return
        if event.kind == "panic":
            self._do(self._panic)
        elif event.kind == "pack":
            self._do(self._hold_anew)

    def _heard_note(self, note: NoteEvent) -> None:
        if not self._ending.is_set():
            self._notes.note(note)
            self._wake()

    def _take(self, port: str, data: list[int], at: float) -> None:
        """The MIDI library's threads: note what came in."""
        try:
            self._inbox.put_nowait((port, data, at))
        except queue.Full:
            self._dropped += 1

    def _say(self, text: str) -> None:
        self._instrument.publish_event("midi", text)

    def _live(self) -> float:
        try:
            return self._instrument.latencies().live
        except AttaccaError:  # it has been closed
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
            # JACK hands on a client's last period again while it closes: let it be an empty one.
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
        except Exception:  # a defect of ours: counted, and played on
            self._faults += 1
            _log.exception("midi")

    def _turn(self, scan: float) -> None:
        """Wait for what comes or is due, and act on all of it."""
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
        while not self._asked.empty():
            self._guarded(self._asked.get_nowait())
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
        verdict = self._arrivals.judge(port, message, at)
        if verdict == "echo":
            self._echo(port)
            return
        self._duplicates += verdict == "duplicate"
        if message.type == "program_change":
            if verdict == "new":
                self._programs.recall(message.program + 1)
        # Held keys are those of all ports together: a port that repeats another adds none.
        elif not self._steering.take(
            port, message, self._now(), is_duplicate=verdict == "duplicate"
        ):
            self._keys.take(port, message)

    def _echo(self, port: str) -> None:
        self._echoes += 1
        if port not in self._loops:
            self._loops.add(port)
            self._say(f"the notes that go out come back through {plain(port)}; they are ignored")

    def _hold(self) -> None:
        """Have the instrument hear the keys that are held now."""
        held = self._keys.held
        if held == self._held:
            return
        self._held = held
        manifest = self._instrument.manifest
        if self._instrument.settings.table.of_kind("keys"):
            self._instrument.hold(held, MIDI)
        elif held and manifest.name not in self._unheard:
            self._unheard.add(manifest.name)
            self._say(f"keys are unused: pack {manifest.name!r} does not use held keys")

    def _hold_anew(self) -> None:
        """Another pack plays, which knows of no keys yet."""
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
        for message in self._notes.let_go():
            self._send(message)
        self._keys.forget()
        self._hold()

    # ------------------------------------------------------------------ beside it

    def _later(self, work: Callable[[], object]) -> None:
        """Do what may wait for a disk."""
        if self._beside is not None:
            self._beside.submit(self._guarded, work)
