"""Networks as they are: IPv6 and IPv4 at once, none of one, long names, no descriptors left."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from osc_program import Program, build, flat
from pythonosc import slip
from zeroconf.asyncio import AsyncServiceInfo

from engine.errors import ConfigError
from engine.instrument import Instrument
from osc import sockets
from osc.query.announce import Announcement, label
from osc.server import OscServer
from osc.sockets import Acceptor, bound_sockets

ROOT = Path(__file__).parents[2]
BOTH = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


@needs_ipv6
@pytest.mark.parametrize(("family", "host"), BOTH)
def test_a_server_on_every_address_answers_ipv6_and_ipv4(
    family: int, host: str, instrument: Instrument, tmp_path: Path
) -> None:
    left = threading.Event()
    with OscServer(
        instrument, port=0, listen="::", library=tmp_path, query_ports=(0,),
        leave=left.set,
    ) as server:  # fmt: skip
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5)
            udp.sendto(build("/ping").dgram, (host, server.port))
            assert flat(udp.recv(65536))[0][0] == "/pong"
            udp.sendto(build("/quit", 1).dgram, (host, server.port))
            assert flat(udp.recv(65536))[0][:2] == ("/done", "/quit")
        assert left.wait(5), "a program on this machine may end it"
        with socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.settimeout(5)
            tcp.connect((host, server.port))
            tcp.sendall(slip.encode(build("/ping").dgram))
            assert flat(slip.decode(tcp.recv(65536)))[0][0] == "/pong"
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{server.query_port}/gain?VALUE"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert json.load(answer)


@needs_ipv6
def test_a_list_of_ipv4_addresses_holds_for_a_server_on_every_address(
    instrument: Instrument, tmp_path: Path
) -> None:
    allow = ["192.0.2.0/24"]
    with (
        OscServer(instrument, port=0, listen="::", library=tmp_path, allow=allow) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.settimeout(5)
        udp.sendto(build("/ping").dgram, ("127.0.0.1", server.port))
        assert flat(udp.recv(65536))[0][0] == "/pong"
        assert server._endpoint is not None
        assert server._endpoint.allowed("192.0.2.7")
        assert not server._endpoint.allowed("198.51.100.7")


@needs_ipv6
def test_a_port_that_is_taken_on_one_of_the_addresses_is_one_line(
    instrument: Instrument, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is in use"):
            OscServer(instrument, port=port, listen="::", library=tmp_path).start()


def test_without_ipv6_one_line_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def no_ipv6(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest)

    monkeypatch.setattr(sockets.socket, "socket", no_ipv6)
    for listen in ("::", "::1"):
        with pytest.raises(ConfigError, match=r"no IPv6, so .* use 0\.0\.0\.0"):
            bound_sockets(listen, 0, (socket.SOCK_DGRAM,))


@needs_ipv6
def test_without_ipv4_every_address_means_those_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def no_ipv4(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest)

    monkeypatch.setattr(sockets.socket, "socket", no_ipv4)
    (one,) = bound_sockets("::", 0, (socket.SOCK_DGRAM,))
    assert one.family == socket.AF_INET6
    one.close()


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("host", "starts"),
    [
        ("studio.example.org", "Attacca 9010 on studio"),
        ("a" * 64, "Attacca 9010 on aaaa"),
        ("größe-" * 12, "Attacca 9010 on größe-"),
        ("\udcff\udcfe", "Attacca 9010 on ??"),
        ("", "Attacca 9010 on computer"),
        (".", "Attacca 9010 on computer"),
    ],
)
def test_every_host_name_gives_a_name_that_can_be_announced(
    host: str, starts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    service = Announcement("127.0.0.1", 9010, 9012)._service("_osc._udp.local.", 9010)
    assert isinstance(service, AsyncServiceInfo)
    assert service.name.startswith(starts)
    first = service.name.removesuffix("._osc._udp.local.")
    assert len(first.encode()) <= 59
    assert len((service.server or "").split(".")[0].encode()) <= 63


def test_a_label_is_cut_between_characters() -> None:
    assert label("é" * 40).encode() == ("é" * 31).encode()
    assert label("a.b") == "a-b"


def test_two_of_one_long_name_are_both_announced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "studio" * 12)

    async def announce() -> list[str]:
        both = [Announcement("127.0.0.1", 9010, 9012) for _ in range(2)]
        for one in both:
            await one.begin()
        names = [
            info.name
            for one in both
            if one._zeroconf is not None
            for info in one._zeroconf.zeroconf.registry.async_get_service_infos()
        ]
        for one in both:
            await one.end()
        await asyncio.sleep(0.05)  # its sockets close
        return names

    names: list[str] = []
    for _ in range(5):  # on a busy machine the first may answer the second too late
        names = asyncio.run(announce())
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(names) == 4
        if len(set(names)) == 4:
            break
    assert len(set(names)) == 4
    assert any(name.startswith("Attacca 9010") and "-2._osc" in name for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a network namespace")
@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_without_any_network_it_is_one_line_of_the_log(listen: str) -> None:
    code = (
        "import asyncio, logging; logging.basicConfig(format='%(message)s')\n"
        "from osc.query.announce import Announcement\n"
        "async def main():\n"
        f"    one = Announcement({listen!r}, 9010, 9012)\n"
        "    await asyncio.wait_for(one.begin(), 20)\n"
        "    await one.end()\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip("this system allows no new namespace")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("osc: not announced by zeroconf: ")
    assert done.stderr.count("\n") == 1


# ------------------------------------------------------------------ descriptors

EXHAUSTED = """
import contextlib, logging, os, resource, socket, sys, time
from pathlib import Path
from attacca.terminal.output import LogLines
from engine.instrument import Instrument
from osc.server import OscServer

lines = LogLines()
logging.getLogger().addHandler(lines)
with Instrument(sys.argv[1], latency=1.0, threads=1) as instrument:
    instrument.play(None)
    instrument.wait_for_sound()
    with OscServer(instrument, port=0, library=Path(sys.argv[2]), query_ports=(0,)) as server:
        spare = [os.open(os.devnull, os.O_RDONLY)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 40, spare[0] + 40))
        print(server.port, server.query_port, flush=True)
        sys.stdin.readline()
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.dup(spare[0]))
        print("exhausted", flush=True)
        blocks, began = instrument.status().stream.blocks, time.process_time()
        sys.stdin.readline()
        used = time.process_time() - began
        more = instrument.status().stream.blocks - blocks
        print(more, used, server._endpoint.counts.refused, flush=True)
        for one in spare:
            os.close(one)
        sys.stdin.readline()
"""


def test_without_descriptors_the_music_goes_on_and_clients_come_in_when_there_are_some(
    tmp_path: Path,
) -> None:
    tiny = ROOT / "tests" / "data" / "packs" / "tiny"
    process = subprocess.Popen(
        [sys.executable, "-c", EXHAUSTED, str(tiny), str(tmp_path)], text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)

        def step() -> list[str]:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().split()

        osc, query = map(int, process.stdout.readline().split())
        assert step() == ["exhausted"]
        streams = [
            stack.enter_context(socket.create_connection(("127.0.0.1", osc))) for _ in range(20)
        ]
        pages = [
            stack.enter_context(socket.create_connection(("127.0.0.1", query))) for _ in range(20)
        ]
        for one in streams:
            one.sendall(slip.encode(build("/ping").dgram))
        udp = Program(osc)
        stack.callback(udp.close)
        began = time.monotonic()
        while time.monotonic() < began + 2.0:
            assert udp.ask("/ping", answer="/pong")
            time.sleep(0.2)
        blocks, used, refused = step()
        assert int(blocks) >= 1
        assert float(used) < 1.5, "it is not tried again without a rest"
        assert 2 <= int(refused) <= 20
        for one in streams:
            one.settimeout(10)
            assert flat(slip.decode(one.recv(65536)))[0][0] == "/pong"
        for one in pages:
            one.settimeout(10)
            one.sendall(b"GET /gain?VALUE HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert one.recv(15) == b"HTTP/1.0 200 OK"
        step()
        process.stdin.close()
        assert process.wait(20) == 0
        said = process.stderr.read().splitlines()
    assert 1 <= len(said) <= 2
    assert all(
        line.startswith(("attacca: osc: no connection", "attacca: oscquery: no connection"))
        for line in said
    )


def test_more_connections_than_there_may_be_are_closed_and_counted() -> None:
    async def run() -> tuple[bytes, int]:
        refused: list[bool] = []
        bound = bound_sockets("127.0.0.1", 0, (socket.SOCK_STREAM,))
        acceptor = Acceptor(
            asyncio.Protocol, bound, "test", most=0, count=lambda: 0,
            refused=lambda: refused.append(True),
        )  # fmt: skip
        acceptor.open()
        reader, writer = await asyncio.open_connection(*bound[0].getsockname())
        data = await asyncio.wait_for(reader.read(1), 5)
        writer.close()
        await acceptor.close()
        return data, len(refused)

    assert asyncio.run(run()) == (b"", 1)
