"""The generator process: `python -m engine.stream.worker`, driven over its standard pipes.

Single-threaded. It owns the ONNX sessions and the stream's past, answers one message with one
message, and ends when its standard input closes, so it never outlives the engine. Before the answer
it announces each part of the work with a message `doing` (part), so that the engine can tell hard
work from a hung process.

    open      pack, threads, target           -> ready | error
    continue  samples of the past, notes      -> done  | error
    phrase    notes, heard                    -> done  | error
    listen    samples to take notes from      -> done  | error
    reset                                     -> done
    make      the fields of blocks.Request    -> block with samples | error
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
from engine.signal.roll import Note
from engine.stream.messages import Message, receive, send

NICENESS = 5  # behind the mixer, before everything in the background


class Worker:
    """Holds the block maker once a pack is open.

    Parameters
    ----------
    announce : called with the name of each part of the work before it is done; its first word is
        a key of `heartbeat.ALLOWANCES`.
    """

    def __init__(self, announce: Callable[[str], object]) -> None:
        self._announce = announce
        self._maker: Any = None
        self._manifest: Any = None

    def answer(self, message: Message) -> tuple[dict[str, Any], Any]:
        """Carry out one message. Returns the head and the samples of the answer."""
        if message.op == "open":
            return self._open(message.head), None
        if self._maker is None:
            return _error("WorkerError", f"{message.op!r} before 'open'"), None
        if message.op == "reset":
            self._maker.reset()
            return {"op": "done"}, None
        if message.op == "continue":
            notes = self._notes(message)
            self._announce("continue")
            self._maker.continue_from(message.samples, notes)
            return {"op": "done"}, None
        if message.op == "listen":
            self._maker.answer(self._notes(message))
            return {"op": "done"}, None
        if message.op == "phrase":
            self._phrase(message.head)
            return {"op": "done"}, None
        if message.op == "make":
            return self._make(message.head)
        return _error("WorkerError", f"unknown message {message.op!r}"), None

    def _open(self, head: dict[str, Any]) -> dict[str, Any]:
        from engine.packs.files import verify_files
        from engine.packs.manifest import read_manifest
        from engine.packs.sessions import Sessions
        from engine.stream.blocks import BlockMaker

        manifest = read_manifest(Path(head["pack"]))
        verify_files(manifest, lambda _: self._announce("check"))
        sessions = Sessions(
            manifest, head["threads"], head["target"], flush_denormals=True,
            announce=self._announce,
        )  # fmt: skip
        sessions.warm_up()
        self._maker = BlockMaker(manifest, sessions, self._announce)
        self._manifest = manifest
        return {"op": "ready", "rate": manifest.rate, "channels": manifest.channels}

    def _notes(self, message: Message) -> list[Note]:
        """The notes of a past: those sent with it, or those that the pack hears in it."""
        if message.head.get("notes") is not None:
            return [Note(*n) for n in message.head["notes"]]
        manifest = self._manifest
        if manifest.notes is None or not manifest.transcription or message.samples is None:
            return []
        from engine.execution.onnx_graph import open_graph
        from engine.signal.transcription import Transcriber

        self._announce("open")
        session = open_graph(manifest, manifest.transcription)
        transcriber = Transcriber(session, lambda: self._announce("listen"))
        return transcriber.notes(message.samples.mean(axis=1), manifest.rate)

    def _phrase(self, head: dict[str, Any]) -> None:
        notes = [Note(*n) for n in head["notes"]]
        if head["heard"]:
            self._maker.play(notes)
        else:
            self._maker.answer(notes)

    def _make(self, head: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        from engine.stream.blocks import Request

        request = Request(**{k: v for k, v in head.items() if k != "op"})
        started = time.perf_counter()
        made = self._maker.make(request)
        answer = {
            "op": "block", "index": request.index, "evaluations": made.evaluations,
            "rewind": made.rewind, "seconds": time.perf_counter() - started,
            "clipped": self._maker.clipped,
            "notes": [[n.offset, n.pitch, n.velocity] for n in made.notes],
            "faults": list(made.faults),
        }  # fmt: skip
        return answer, made.samples


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"op": "error", "kind": kind, "text": text}


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Answer messages until the other end closes."""
    worker = Worker(lambda part: send(outgoing, {"op": "doing", "part": part}))
    while (message := receive(incoming)) is not None:
        try:
            head, samples = worker.answer(message)
        except AttaccaError as error:
            head, samples = _error(type(error).__name__, str(error)), None
        except (BrokenPipeError, EOFError):
            raise
        except Exception as error:  # a defect: what it holds may be half done, so it ends
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            send(outgoing, _error("", text))
            traceback.print_exc()
            sys.exit(1)
        send(outgoing, head, samples)


def main() -> None:
    """Serve on standard input and output; anything printed goes to standard error instead."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        with os.fdopen(descriptor, "wb") as outgoing:
            serve(sys.stdin.buffer, outgoing)
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        sys.exit(0)  # the engine has gone


if __name__ == "__main__":
    main()
