"""The engine's end of the generator process: start it, ask it, notice when it dies.

Used by one thread, the feeder. A reader thread of its own turns the pipe into a queue, so that
waiting can be given up after a time on every system.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import errors
from engine.signal.roll import Note
from engine.stream.blocks import Request, TimedNote
from engine.stream.messages import Message, receive, send

OPEN_TIMEOUT = 60.0  # seconds; a cold disk and a slow machine included
ANSWER_TIMEOUT = 60.0  # for one block, at any number of steps


class GeneratorDied(Exception):
    """The process ended or stopped answering; start it again."""


@dataclass(frozen=True)
class Block:
    """A block as it came out of the generator; `seconds` is how long it took to make."""

    samples: NDArray[np.float32]
    index: int
    evaluations: int
    rewind: int
    seconds: float
    clipped: int
    request: Request
    notes: tuple[TimedNote, ...] = ()


class Generator:
    """One generator process.

    Parameters
    ----------
    pack : folder of the pack.
    threads, target : for its ONNX sessions.
    """

    def __init__(self, pack: Path, threads: int = 1, target: str = "cpu") -> None:
        self._pack, self._threads, self._target = pack, threads, target
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[Message | None] = queue.Queue()

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
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "OMP_NUM_THREADS": str(self._threads), "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.stream.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            start_new_session=True,  # Ctrl-C is for the engine, which ends it in good order
        )  # fmt: skip
        answers: queue.Queue[Message | None] = queue.Queue()
        threading.Thread(
            target=_read, args=(process, answers), name="attacca-generator-pipe", daemon=True
        ).start()
        self._process, self._answers = process, answers
        head = {
            "op": "open",
            "pack": str(self._pack.resolve()),
            "threads": self._threads,
            "target": self._target,
        }
        self._ask(head, None, OPEN_TIMEOUT)

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
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def reset(self) -> None:
        """Forget the past."""
        self._ask({"op": "reset"})

    def continue_from(
        self, samples: NDArray[np.float32], notes: Sequence[Note] | None = None
    ) -> None:
        """Hand over audio [frames, channels] that the next block continues.

        `notes` are those of it, timed from its first sample; None has the pack listen for them.
        """
        told = None if notes is None else [astuple(n) for n in notes]
        self._ask({"op": "continue", "notes": told}, samples)

    def phrase(self, notes: Sequence[Note], *, heard: bool) -> None:
        """Hand over notes to be played next (`heard`), or to go on from as if just played."""
        self._ask({"op": "phrase", "notes": [astuple(n) for n in notes], "heard": heard})

    def listen(self, samples: NDArray[np.float32]) -> None:
        """Hand over sound whose notes the music goes on from, as if they had just been played."""
        self._ask({"op": "listen"}, samples)

    def make(self, request: Request) -> Block:
        """Make one block.

        Raises
        ------
        GeneratorDied
            When the process is gone.
        AttaccaError
            When a value cannot be used; the stream is as before.
        """
        answer = self._ask({"op": "make", **asdict(request)})
        head = answer.head
        samples = answer.samples
        if head["op"] != "block" or samples is None:
            raise GeneratorDied(f"the generator answered {head['op']!r}, not a block")
        return Block(
            samples, head["index"], head["evaluations"], head["rewind"], head["seconds"],
            head["clipped"], request, tuple(TimedNote(*n) for n in head["notes"]),
        )  # fmt: skip

    def _ask(
        self,
        head: dict[str, Any],
        samples: NDArray[np.float32] | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> Message:
        process = self._process
        if process is None or process.stdin is None:
            raise GeneratorDied("the generator is not running")
        try:
            send(process.stdin, head, samples)
        except OSError as error:
            raise GeneratorDied(f"the generator is gone ({error})") from error
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            raise GeneratorDied(f"the generator did not answer for {timeout:g} s") from None
        if answer is None:
            raise GeneratorDied(f"the generator ended with status {process.wait()}")
        if answer.op == "error":
            kind = getattr(errors, answer.head["kind"], errors.AttaccaError)
            raise kind(answer.head["text"])
        return answer


def _read(process: subprocess.Popen[bytes], answers: queue.Queue[Message | None]) -> None:
    pipe = process.stdout
    if pipe is None:
        return
    with pipe:
        try:
            while (message := receive(pipe)) is not None:
                answers.put(message)
        except (EOFError, OSError, ValueError):
            pass  # cut off in mid-message: the same as closed, and told as such below
    answers.put(None)
