"""The engine's side of the generator process: starts it, requests blocks, detects hangs.

Used by one thread, the feeder. A reader thread puts the messages of the pipe into a queue, so that
a wait can time out on every system, and passes announcements to the heartbeat (see heartbeat.py).
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import errors
from engine.child_process import child_command, child_environment
from engine.notes.note import Note
from engine.notes.timed_note import TimedNote
from engine.stages.request import Request
from engine.stream.heartbeat import Heartbeat
from engine.stream.messages import Arrays, Message, receive, send
from engine.time.clock import Clock, SystemClock
from engine.time.tempo_map import Pace

_POLL = 0.05  # seconds between checks whether it is late
_EXIT_LIMIT = 0.5  # seconds that it may take to exit by itself
_KILL_LIMIT = 2.0  # seconds that the system may take to end a killed process


class GeneratorDied(Exception):
    """The process has ended or hangs; start a new one."""


@dataclass(frozen=True)
class Block:
    """A block from the generator; `seconds` is its generation time.

    `faults` describes invalid outputs of the networks, one line each.
    """

    samples: NDArray[np.float32]
    index: int
    evaluations: int
    rewind: int
    seconds: float
    clipped: int
    request: Request
    notes: tuple[TimedNote, ...] = ()
    faults: tuple[str, ...] = ()


class Generator:
    """One generator process.

    Parameters
    ----------
    pack : folder of the pack.
    threads, target : for its ONNX sessions.
    clock : for timeouts.
    patience : factor on all timeouts; large for rendering.
    pace : returns the tempo at which notes in seconds are read on a grid of beats.

    Attributes
    ----------
    targets : offered by ONNX Runtime in the process; empty before `start`.
    """

    def __init__(
        self,
        pack: Path,
        threads: int = 1,
        target: str = "cpu",
        *,
        clock: Clock | None = None,
        patience: float = 1.0,
        pace: Callable[[], Pace] = Pace,
    ) -> None:
        self._pace = pace
        self._pack, self._threads, self._target = pack, threads, target
        self._clock = clock or SystemClock()
        self._heartbeat = Heartbeat(self._clock.now, patience)
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[Message | None] = queue.Queue()
        self.targets: tuple[str, ...] = ()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process and open the pack in it.

        Raises
        ------
        AttaccaError
            The error that the process reports about the pack.
        GeneratorDied
            The process ended before it was ready.
        """
        self.stop()
        environment = child_environment(
            OMP_NUM_THREADS=str(self._threads), OPENBLAS_NUM_THREADS="1"
        )
        process = subprocess.Popen(
            child_command("engine.stream.worker"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            start_new_session=True,  # Ctrl-C goes to the engine only, which stops it
        )  # fmt: skip
        replies: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(
            target=_read, args=(process, replies, self._heartbeat),
            name="attacca-generator-pipe", daemon=True,
        ).start()  # fmt: skip
        self._process, self._replies = process, replies
        head = {
            "op": "open",
            "pack": str(self._pack.resolve()),
            "threads": self._threads,
            "target": self._target,
        }
        self._heartbeat.started()
        self.targets = tuple(self._request(head).head["targets"])

    def stop(self) -> None:
        """End the process: close its input, then kill it if necessary."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            # It may have ended with data still in the pipe, which is no longer needed.
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(_EXIT_LIMIT)
        except subprocess.TimeoutExpired:
            _kill(process)

    def reset(self) -> None:
        """Start a new piece, without a past."""
        self._request({"op": "reset"})

    def continue_from(self, samples: NDArray[np.float32]) -> None:
        """Send audio [frames, channels] that the next block continues.

        If the pack has a transcription model, it finds the notes in the audio.
        """
        self._request({"op": "continue", "pace": vars(self._pace())}, {"samples": samples})

    def phrase(self, notes: Sequence[Note], *, played: bool) -> int:
        """Send notes to be played next, or to be continued as if they had just been played.

        Returns the number of blocks that the notes fill.
        """
        head = {
            "op": "phrase", "notes": [astuple(n) for n in notes], "played": played,
            "pace": vars(self._pace()),
        }  # fmt: skip
        return int(self._request(head).head.get("blocks", 0))

    def listen(self, samples: NDArray[np.float32]) -> None:
        """Send sound whose notes the music continues, as if they had just been played."""
        self._request({"op": "listen", "pace": vars(self._pace())}, {"samples": samples})

    def state(self) -> Arrays:
        """Everything that the next block depends on, as named arrays."""
        return self._request({"op": "state"}).arrays

    def restore(self, state: Arrays) -> None:
        """Continue from a state of the same pack.

        Raises
        ------
        ConfigError
            It is the state of another pack.
        """
        self._request({"op": "restore"}, state)

    def make(self, request: Request) -> Block:
        """Generate one block.

        Raises
        ------
        GeneratorDied
            The process has ended or hangs.
        AttaccaError
            A value cannot be used; the stream is unchanged.
        """
        reply = self._request({"op": "make", **request.as_message()})
        self._heartbeat.reset_patience()
        head = reply.head
        samples = reply.samples
        if head["op"] != "block" or samples is None:
            raise GeneratorDied(f"the generator sent {head['op']!r} instead of a block")
        return Block(
            samples, head["index"], head["evaluations"], head["rewind"], head["seconds"],
            head["clipped"], request, tuple(TimedNote(*n) for n in head["notes"]),
            tuple(head["faults"]),
        )  # fmt: skip

    def _request(self, head: dict[str, Any], arrays: Arrays | None = None) -> Message:
        process = self._process
        if process is None:
            raise GeneratorDied("the generator is not running")
        if head["op"] != "open":
            self._heartbeat.began("answer")
        try:
            self._send(process, head, arrays)
        except OSError as error:
            raise GeneratorDied(f"the generator has ended ({error})") from error
        reply = self._await_reply(process)
        if reply.op == "error":
            kind = getattr(errors, reply.head["kind"], None)
            if kind is None:  # a defect of the generator, which has ended
                raise GeneratorDied(f"the generator failed: {reply.head['text']}")
            raise kind(reply.head["text"])
        return reply

    def _send(
        self,
        process: subprocess.Popen[bytes],
        head: dict[str, Any],
        arrays: Arrays | None,
    ) -> None:
        """Send a message; kill a process that does not read, as the write would block for ever."""
        if process.stdin is None:
            raise BrokenPipeError("it has no input")
        timer = threading.Timer(self._heartbeat.limit("send"), process.kill)
        timer.daemon = True
        try:
            if arrays or head["op"] == "phrase":  # perhaps too much for the pipe
                timer.start()
            send(process.stdin, head, arrays)
        finally:
            timer.cancel()

    def _await_reply(self, process: subprocess.Popen[bytes]) -> Message:
        while True:
            before = self._clock.now()
            try:
                reply = self._replies.get(timeout=_POLL)
            except queue.Empty:
                # At most twice the poll time: this process itself may have been suspended.
                self._heartbeat.waited(min(self._clock.now() - before, 2 * _POLL))
                if late := self._heartbeat.late:
                    self._heartbeat.double_patience()
                    _kill(process)  # it replies to nothing, so not kindly
                    raise GeneratorDied(f"the generator hangs: {late}") from None
                continue
            if reply is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_EXIT_LIMIT)
                _kill(process)
                raise GeneratorDied(f"the generator ended with status {process.returncode}")
            return reply


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_LIMIT)


def _read(
    process: subprocess.Popen[bytes], replies: queue.Queue[Message | None], heartbeat: Heartbeat
) -> None:
    pipe = process.stdout
    if pipe is None:
        return
    with pipe:
        try:
            while (message := receive(pipe)) is not None:
                if message.op == "doing":
                    heartbeat.began(str(message.head["part"]))
                else:
                    heartbeat.finished()
                    replies.put(message)
        except (EOFError, OSError, ValueError, KeyError):
            pass  # cut off within a message: the same as closed
    replies.put(None)
