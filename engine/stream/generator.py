"""The engine's end of the generator process: start it, ask it, notice when it dies or hangs.

Used by one thread, the feeder. A reader thread of its own turns the pipe into a queue, so that
waiting can be given up on every system, and notes each part of its work that the generator
announces (see heartbeat.py).
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Sequence
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

_LOOK = 0.05  # seconds between looks whether it is late
_KIND = 0.5  # seconds that it may take to end by itself
_REAP = 2.0  # seconds that the system may take to end a killed process


class GeneratorDied(Exception):
    """The process ended or stopped answering; start it again."""


@dataclass(frozen=True)
class Block:
    """A block as it came out of the generator; `seconds` is how long it took to make.

    `faults` says what was wrong with what the networks answered, one line each.
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


def joined(blocks: Sequence[Block]) -> tuple[NDArray[np.float32], tuple[TimedNote, ...]]:
    """The samples of blocks one after another, and their notes, timed from the first sample."""
    notes: list[TimedNote] = []
    begin = 0
    for block in blocks:
        notes += [TimedNote(begin + n.offset, n.pitch, n.velocity) for n in block.notes]
        begin += len(block.samples)
    return np.concatenate([block.samples for block in blocks]), tuple(notes)


class Generator:
    """One generator process.

    Parameters
    ----------
    pack : folder of the pack.
    threads, target : for its ONNX sessions.
    clock : by which it is judged late.
    patience : factor on how late it may be; large for rendering.

    Attributes
    ----------
    targets : those that ONNX Runtime offers there, once it is started.
    """

    def __init__(
        self,
        pack: Path,
        threads: int = 1,
        target: str = "cpu",
        *,
        clock: Clock | None = None,
        patience: float = 1.0,
    ) -> None:
        self._pack, self._threads, self._target = pack, threads, target
        self._clock = clock or SystemClock()
        self._heartbeat = Heartbeat(self._clock.now, patience)
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[Message | None] = queue.Queue()
        self.targets: tuple[str, ...] = ()

    @property
    def pid(self) -> int | None:
        """Process number while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process and open the pack in it.

        Raises
        ------
        AttaccaError
            What the process said of the pack, as the error it was.
        GeneratorDied
            When it ended before it was ready.
        """
        self.stop()
        environment = child_environment(
            OMP_NUM_THREADS=str(self._threads), OPENBLAS_NUM_THREADS="1"
        )
        process = subprocess.Popen(
            child_command("engine.stream.worker"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            start_new_session=True,  # Ctrl-C is for the engine, which ends it in good order
        )  # fmt: skip
        answers: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(
            target=_read, args=(process, answers, self._heartbeat),
            name="attacca-generator-pipe", daemon=True,
        ).start()  # fmt: skip
        self._process, self._answers = process, answers
        head = {
            "op": "open",
            "pack": str(self._pack.resolve()),
            "threads": self._threads,
            "target": self._target,
        }
        self._heartbeat.started()
        self.targets = tuple(self._ask(head).head["targets"])

    def stop(self) -> None:
        """End the process, kindly first."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            # It may have died with something still in the pipe: nobody wants that any more.
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(_KIND)
        except subprocess.TimeoutExpired:
            _kill(process)

    def reset(self) -> None:
        """Forget the past."""
        self._ask({"op": "reset"})

    def continue_from(self, samples: NDArray[np.float32]) -> None:
        """Hand over audio [frames, channels] that the next block continues.

        Where the pack can, it finds the notes in it.
        """
        self._ask({"op": "continue"}, {"samples": samples})

    def phrase(self, notes: Sequence[Note], *, played: bool) -> int:
        """Hand over notes to be played next, or to continue as if they had just been played.

        Returns how many blocks the playing takes.
        """
        head = {"op": "phrase", "notes": [astuple(n) for n in notes], "played": played}
        return int(self._ask(head).head.get("blocks", 0))

    def listen(self, samples: NDArray[np.float32]) -> None:
        """Hand over sound whose notes the music continues, as if they had just been played."""
        self._ask({"op": "listen"}, {"samples": samples})

    def state(self) -> Arrays:
        """Everything that the next block depends on, as named arrays."""
        return self._ask({"op": "state"}).arrays

    def restore(self, state: Arrays) -> None:
        """Go on from a state of the same pack.

        Raises
        ------
        ConfigError
            It is the state of another pack.
        """
        self._ask({"op": "restore"}, state)

    def make(self, request: Request) -> Block:
        """Make one block.

        Raises
        ------
        GeneratorDied
            When the process is gone.
        AttaccaError
            When a value cannot be used; the stream is as before.
        """
        answer = self._ask({"op": "make", **request.as_message()})
        self._heartbeat.proved()
        head = answer.head
        samples = answer.samples
        if head["op"] != "block" or samples is None:
            raise GeneratorDied(f"the generator answered {head['op']!r}, not a block")
        return Block(
            samples, head["index"], head["evaluations"], head["rewind"], head["seconds"],
            head["clipped"], request, tuple(TimedNote(*n) for n in head["notes"]),
            tuple(head["faults"]),
        )  # fmt: skip

    def _ask(self, head: dict[str, Any], arrays: Arrays | None = None) -> Message:
        process = self._process
        if process is None:
            raise GeneratorDied("the generator is not running")
        if head["op"] != "open":
            self._heartbeat.began("answer")
        try:
            self._send(process, head, arrays)
        except OSError as error:
            raise GeneratorDied(f"the generator is gone ({error})") from error
        answer = self._answer(process)
        if answer.op == "error":
            kind = getattr(errors, answer.head["kind"], None)
            if kind is None:  # a defect of the generator, which has ended
                raise GeneratorDied(f"the generator failed: {answer.head['text']}")
            raise kind(answer.head["text"])
        return answer

    def _send(
        self,
        process: subprocess.Popen[bytes],
        head: dict[str, Any],
        arrays: Arrays | None,
    ) -> None:
        """Send; a process that does not read is ended, as the write would wait for ever."""
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

    def _answer(self, process: subprocess.Popen[bytes]) -> Message:
        while True:
            before = self._clock.now()
            try:
                answer = self._answers.get(timeout=_LOOK)
            except queue.Empty:
                # No more than it may have been: this process could have been the one held up.
                self._heartbeat.waited(min(self._clock.now() - before, 2 * _LOOK))
                if late := self._heartbeat.late:
                    self._heartbeat.gave_up()
                    _kill(process)  # it answers to nothing, so not kindly
                    raise GeneratorDied(f"the generator hangs: {late}") from None
                continue
            if answer is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_KIND)
                _kill(process)
                raise GeneratorDied(f"the generator ended with status {process.returncode}")
            return answer


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAP)


def _read(
    process: subprocess.Popen[bytes], answers: queue.Queue[Message | None], heartbeat: Heartbeat
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
                    answers.put(message)
        except (EOFError, OSError, ValueError, KeyError):
            pass  # cut off in mid-message: the same as closed
    answers.put(None)
