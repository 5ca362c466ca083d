"""Fuzzing of all that comes in over OSC: nothing may raise, meet a fault, stall or grow.

    python -m tests.fuzz.osc_packets [--seconds 300] [--seed 1] [--found FOLDER]

Takes atheris (the extra `fuzz`; Linux). Each input goes through the reader of packets, both
framings of TCP, the patterns, and a real server beside an instrument that plays. First come the
packets in tests/data/osc, whole, up to 64 KiB; then what is made of them. What breaks a rule is
written into FOLDER, its traceback is printed, and the exit status is not 0: put the file into
tests/data/osc, and mend the code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import random
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from tests.fuzz.osc_corpus import FOLDER, kept

TINY = Path(__file__).resolve().parents[1] / "data" / "packs" / "tiny"
STALL = 5  # seconds that one input may take, on any machine
MOST_MB = 1_024  # resident now, with the engine, the fuzzer and all that it has kept
EVERY = 256  # inputs between two looks at what the server answers
_FOUND = 77  # exit status


class Faults(logging.Handler):
    """What the server logs as a defect of its own, or asyncio as one of a callback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


class Live:
    """A real server beside a real instrument; `take` is what its sockets call."""

    def __init__(self, folder: Path) -> None:
        from engine.instrument import Instrument
        from osc.server import OscServer

        self.faults = Faults()
        for name in ("attacca.osc", "asyncio"):
            logging.getLogger(name).addHandler(self.faults)
        self.instrument = Instrument(TINY, latency=1.0, threads=1)
        self.instrument.play(None)
        self.instrument.wait_for_sound()
        self.server = OscServer(self.instrument, port=0, library=folder)
        self.server.start()
        self._endpoint = self.server._endpoint
        assert self._endpoint is not None
        assert self._endpoint._acceptor is not None
        self._loop: asyncio.AbstractEventLoop = self._endpoint._acceptor._tasks[0].get_loop()
        self.answers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.answers.bind(("127.0.0.1", 0))
        self.answers.setblocking(False)

    def take(self, data: bytes) -> None:
        """Hand a packet to the server, in its own thread."""
        from osc.endpoint import Peer

        peer = Peer("127.0.0.1", self.answers.getsockname()[1])
        self._in_its_thread(lambda: self._endpoint.take(peer, data))
        if self.faults.seen:
            raise AssertionError(self.faults.seen.pop())

    def _in_its_thread(self, call: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        done.result(STALL)

    def look(self) -> None:
        """What it has sent is OSC, and the music plays on."""
        from osc.packets import read

        with contextlib.suppress(BlockingIOError):
            while True:
                read(self.answers.recv(65_536))
        status = self.instrument.status()
        assert not status.failed, status.failed
        assert sum(t.name == "attacca-osc" for t in threading.enumerate()) == 1
        assert resident_mb() < MOST_MB


def resident_mb() -> float:
    """Memory of this process now.

    libFuzzer's own limit reads the peak, which Linux hands on from the process that started this
    one.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def read_packet(data: bytes) -> None:
    """Messages, or one line that says why not."""
    from osc.packets import BadPacket, read

    try:
        messages = read(data)
    except BadPacket as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError("not one line") from error
        return
    for message in messages:
        assert message.address.startswith("/")
        assert message.at is None or -1e11 < message.at < 1e11


def unframe(data: bytes) -> None:
    """A stream gives the same packets however it is cut, and gives back what was framed."""
    from osc.framing import Sized, Slip, framing_of
    from osc.packets import LARGEST, BadPacket

    cut = 1 + len(data) // 7
    pieces = [data[i : i + cut] for i in range(0, len(data), cut)]
    for make in (Sized, Slip, lambda: framing_of(data)):
        found: list[list[bytes]] = []
        ended: list[bool] = []
        for parts in ([data], pieces):
            framing, packets = make(), []
            found.append(packets)
            try:
                for part in parts:
                    packets += framing.feed(part)
                ended.append(False)
            except BadPacket:
                ended.append(True)
        assert ended[0] == ended[1] or len(data) > LARGEST
        # A whole piece is refused with what is wrong in it, so less may come out, never other.
        assert found[1][: len(found[0])] == found[0]
        if 0 < len(data) <= LARGEST:
            framing = make()
            assert framing.feed(framing.frame(data)) == [data]


def match(data: bytes) -> None:
    """A pattern fits or not, or is refused."""
    from engine.errors import ConfigError
    from osc.patterns import is_pattern, matches

    pattern = data[:400].decode("utf-8", "replace")
    try:
        fits = matches(pattern, "/harmony/c_sharp")
    except ConfigError:
        return
    assert is_pattern(pattern) or fits == (pattern == "/harmony/c_sharp")


def words(folder: Path) -> Path:
    """A dictionary for the fuzzer: addresses, type tags, and what else it would have to guess."""
    from engine.controls.shipped_table import SHIPPED_TABLE
    from osc.addresses import address_space

    found = [
        a.path.encode() + b"\0" * (4 - len(a.path) % 4)
        for a in address_space(SHIPPED_TABLE).addresses
    ]
    found += [b"," + tags.ljust(3, b"\0") for tags in (b"f", b"i", b"s", b"is", b"b", b"T", b"d")]
    found += [b"#bundle\0" + b"\0" * 7 + b"\1", b"\x7f\xc0\0\0", b"free", b"/norm"]
    found += [b"{,", b"[!", b"*"]
    path = folder / "words"
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in found)
    path.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.osc_packets", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=int, default=4_096, help="bytes of an input")
    parser.add_argument("--found", type=Path, default=Path("out/fuzz"))
    args = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("fuzz: atheris is not installed; pip install 'attacca[fuzz]' (Linux)")
    with atheris.instrument_imports(include=["osc", "pythonosc"]):
        import osc.server  # noqa: F401
    args.found.mkdir(parents=True, exist_ok=True)
    logging.getLogger("attacca.osc").propagate = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        live, count = Live(folder / "library"), 0

        def one(data: bytes) -> None:
            nonlocal count
            count += 1
            try:
                read_packet(data)
                unframe(data)
                match(data)
                live.take(data)
                if count % EVERY == 0:
                    live.look()
            except BaseException:  # told and ended at once: threads of the player still run
                (args.found / f"crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(_FOUND)

        def mutated(data: bytes, most: int, seed: int) -> bytes:
            """Half of the time brought to whole words of 4, since little else is read far."""
            made = atheris.Mutate(data, most)
            if random.Random(seed).random() < 0.5:
                made = (made + b"\0" * (-len(made) % 4))[: most // 4 * 4]
            return made

        for packet in kept().values():
            one(packet)
        (folder / "corpus").mkdir()
        options = [
            f"-max_total_time={args.seconds}", f"-seed={args.seed}", f"-timeout={STALL}",
            "-rss_limit_mb=0", f"-max_len={args.longest}", f"-dict={words(folder)}",
            f"-artifact_prefix={args.found}{os.sep}", "-print_final_stats=1", "-verbosity=1",
            str(folder / "corpus"), str(FOLDER),
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutated)
        atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
