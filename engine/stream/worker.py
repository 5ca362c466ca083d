"""The generator process: `python -m engine.stream.worker`, controlled over its standard pipes.

Single-threaded. It owns the graphs and the state of the stream, replies to every message with one
message, and ends when its standard input closes, so that it never outlives the engine. Before the
reply it announces each part of its work with a message `doing` (part), so that the engine can
detect a hung process.

    open      pack, threads, target              -> ready (targets offered) | error
    continue  samples of the past, pace          -> done  | error
    phrase    notes, played, pace                -> done (number of blocks) | error
    listen    samples to transcribe, pace        -> done  | error
    reset                                        -> done
    state                                        -> state with arrays
    restore   arrays                             -> done  | error
    make      the fields of stages.Request       -> block with samples | error
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import AttaccaError
from engine.notes.note import Note
from engine.stream.messages import Arrays, Message, receive, send
from engine.time.tempo_map import Pace

NICENESS = 5  # after the mixer, before background processes


class Worker:
    """Carries out messages with the walk of an opened pack.

    Parameters
    ----------
    announce : called with the name of each part of the work before it starts; its first word is
        a key of `heartbeat.ALLOWANCES`.
    """

    def __init__(self, announce: Callable[[str], object]) -> None:
        self._announce = announce
        self._walk: Any = None
        self._manifest: Any = None

    def answer(self, message: Message) -> tuple[dict[str, Any], Arrays]:
        """Carry out one message. Returns the head and the arrays of the reply."""
        if message.op == "open":
            return self._open(message.head), {}
        walk = self._walk
        if walk is None:
            return _error("WorkerError", f"{message.op!r} before 'open'"), {}
        done: dict[str, Any] = {"op": "done"}
        if "pace" in message.head and message.op != "make":
            walk.pace = Pace(**message.head["pace"])
        if message.op == "make":
            return self._make(message.head)
        if message.op == "state":
            return {"op": "state"}, walk.state()
        if message.op == "restore":
            walk.restore(message.arrays)
        elif message.op == "reset":
            walk.reset()
        elif message.op == "continue":
            notes = self._notes(message)
            self._announce("continue")
            walk.continue_from(message.samples, notes)
        elif message.op == "listen":
            walk.answer(self._notes(message))
        elif message.op == "phrase":
            notes = [Note(*n) for n in message.head["notes"]]
            if message.head["played"]:
                done["blocks"] = walk.play(notes)
            else:
                walk.answer(notes)
        else:
            return _error("WorkerError", f"unknown message {message.op!r}"), {}
        return done, {}

    def _open(self, head: dict[str, Any]) -> dict[str, Any]:
        from engine.execution.executor import make_executor
        from engine.execution.targets import offered_targets
        from engine.packs.files import verify_files
        from engine.packs.read import read_manifest
        from engine.stream.walk import PlanWalk

        manifest = read_manifest(Path(head["pack"]))
        verify_files(manifest, lambda _: self._announce("check"))
        executor = make_executor(
            head["target"], head["threads"], flush_denormals=True, announce=self._announce
        )
        walk = PlanWalk(manifest, executor, self._announce)
        walk.warm_up()
        self._walk, self._manifest = walk, manifest
        return {"op": "ready", "targets": [target.name for target in offered_targets()]}

    def _notes(self, message: Message) -> list[Note]:
        """The notes of a past: those in the message, or those transcribed from its sound."""
        if message.head.get("notes") is not None:
            return [Note(*n) for n in message.head["notes"]]
        manifest, samples = self._manifest, message.samples
        if self._walk.notes_signal is None or not manifest.transcription or samples is None:
            return []
        from engine.execution.onnx_graph import open_graph
        from engine.notes.transcription import Transcriber

        self._announce("open")
        session = open_graph(manifest, manifest.transcription)
        transcriber = Transcriber(session, lambda: self._announce("listen"))
        return transcriber.notes(samples.mean(axis=1), manifest.rate)

    def _make(self, head: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
        from engine.stages.request import Request

        request = Request.from_message(head)
        started = time.perf_counter()
        produced = self._walk.make(request)
        answer = {
            "op": "block", "index": request.index, "evaluations": produced.evaluations,
            "rewind": produced.rewind, "seconds": time.perf_counter() - started,
            "clipped": self._walk.clipped,
            "notes": [[n.offset, n.pitch, n.velocity] for n in produced.notes],
            "faults": list(produced.faults),
        }  # fmt: skip
        return answer, {"samples": produced.samples}


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"op": "error", "kind": kind, "text": text}


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Reply to messages until the other end closes."""
    worker = Worker(lambda part: send(outgoing, {"op": "doing", "part": part}))
    while (message := receive(incoming)) is not None:
        try:
            head, arrays = worker.answer(message)
        except AttaccaError as error:
            head, arrays = _error(type(error).__name__, str(error)), {}
        except (BrokenPipeError, EOFError):
            raise
        except Exception as error:  # a defect: the state may be inconsistent, so the process ends
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            send(outgoing, _error("", text))
            traceback.print_exc()
            sys.exit(1)
        send(outgoing, head, arrays)


def main() -> None:
    """Serve on standard input and output; prints go to standard error."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        with os.fdopen(descriptor, "wb") as outgoing:
            serve(sys.stdin.buffer, outgoing)
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        sys.exit(0)  # the engine has ended


if __name__ == "__main__":
    main()
