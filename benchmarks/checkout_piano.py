"""Plays the shipped piano of one checkout of the project, as another process requests it.

`benchmarks.checkout` runs this file with the checkout's folder first in PYTHONPATH, so `engine` is
the checkout's own. It reads JSON lines from standard input and answers each with a JSON line, after
a block followed by its samples (float32, in this machine's order of bytes):

    begin                                          forgets the past
    noise     seconds, key, notes                  continues a recording: white noise at -20 dBFS
    play      notes [pitch, velocity, start, end]  plays a phrase, and then continues it
    answer    notes                                continues a phrase that is not played
    restart                                        hands the state to another walk of the plan
    make      the fields of `benchmarks.checkout.Wanted` -> frames, rewind, notes, wall, processor

`wall` and `processor` are the seconds that the block took. Two dialects: releases up to 2b231fe
have a BlockMaker; later ones walk a plan. Nothing may be imported here that one of them lacks.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

PITCH_CLASSES = (
    "c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b",
)  # fmt: skip


def engine(module: str) -> Any:
    """A module of the checkout's engine."""
    return import_module(f"engine.{module}")


class _PlanDialect:
    """Releases whose packs are plans."""

    def __init__(self, folder: Path) -> None:
        self._manifest = engine("packs.read").read_manifest(folder)
        self._request = engine("stream.requests").make_request
        self.note = engine("notes.note").Note
        self.player = self._opened()
        self.begin()

    def _opened(self) -> Any:
        executor = engine("execution.executor").make_executor("cpu", 1, flush_denormals=True)
        return engine("stream.walk").PlanWalk(self._manifest, executor)

    def begin(self) -> None:
        self.player.reset()
        self._first, self._phrase = True, 0

    def noise(self, sound: Any, notes: list[Any]) -> None:
        self.player.continue_from(sound, notes)
        self._first = False

    def play(self, notes: list[Any]) -> None:
        self._phrase = self.player.play(notes)

    def answer(self, notes: list[Any]) -> None:
        self.player.answer(notes)

    def restart(self) -> None:
        state = self.player.state()
        self.player = self._opened()
        self.player.restore(state)

    def make(self, w: dict[str, Any]) -> Any:
        whole = self._first or self._phrase > 0
        self._first, self._phrase = False, max(0, self._phrase - 1)
        request = self._request(
            self.player.plan, w["index"], steps=w["steps"], stride=1.0 if whole else w["stride"],
            seed=w["seed"], sampler=w["sampler"], temperature=w["temperature"],
            guidance=w["guidance"], controls={**w["controls"], "held": tuple(w["held"])},
        )  # fmt: skip
        return self.player.make(request)


class _BlockMakerDialect:
    """Releases up to 2b231fe. By themselves they keep the first block and a phrase's whole."""

    def __init__(self, folder: Path) -> None:
        manifest = engine("packs.manifest").read_manifest(folder)
        sessions = engine("packs.sessions").Sessions(manifest, 1, "cpu", flush_denormals=True)
        blocks = engine("stream.blocks")
        self._request = blocks.Request
        self.note = engine("signal.roll").Note
        self.player = blocks.BlockMaker(manifest, sessions)
        self.begin, self.play, self.answer = (
            self.player.reset, self.player.play, self.player.answer
        )  # fmt: skip

    def noise(self, sound: Any, notes: list[Any]) -> None:
        self.player.continue_from(sound, notes)

    def make(self, w: dict[str, Any]) -> Any:
        controls = dict(w["controls"])
        weights = controls.pop("harmony")
        weights = [0.0] * len(PITCH_CLASSES) if weights == "free" else weights
        controls |= {f"harmony_{n}": v for n, v in zip(PITCH_CLASSES, weights, strict=True)}
        return self.player.make(
            self._request(
                w["index"], w["steps"], w["sampler"], w["seed"], w["temperature"], w["guidance"],
                w["stride"], controls, tuple(w["held"]),
            )
        )  # fmt: skip


def noise(rate: int, seconds: float, key: int) -> Any:
    """White noise [frames, 1]."""
    rng = np.random.default_rng(key)
    return (0.1 * rng.standard_normal((round(rate * seconds), 1))).astype(np.float32)


def main() -> None:
    """Serve until standard input ends. The argument is the checkout's folder."""
    home = Path(sys.argv[1])
    found = Path(engine("errors").__file__).resolve()
    if not found.is_relative_to(home):
        sys.exit(f"{found} is not in {home}")
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        dialect = _PlanDialect if (home / "engine/stream/walk.py").is_file() else _BlockMakerDialect
        piano: Any = dialect(home / "packs" / "piano")
        for line in sys.stdin:
            out.write(answer(piano, json.loads(line)))
            out.flush()


def answer(piano: Any, message: dict[str, Any]) -> bytes:
    """Carry out one message. Returns what to write."""
    what = message.pop("do")
    if what == "make":
        wall, processor = time.perf_counter(), time.process_time()
        block = piano.make(message)
        spent = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        notes = [[n.offset, n.pitch, n.velocity] for n in block.notes]
        head = {"frames": len(block.samples), "rewind": block.rewind, "notes": notes, **spent}
        return json.dumps(head).encode() + b"\n" + block.samples[:, 0].tobytes()
    notes = [piano.note(*n) for n in message.pop("notes", [])]
    if what == "noise":
        piano.noise(noise(24_000, message["seconds"], message["key"]), notes)
    elif what in ("play", "answer"):
        getattr(piano, what)(notes)
    else:
        getattr(piano, what)()
    return b"{}\n"


if __name__ == "__main__":
    main()
