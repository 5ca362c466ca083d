"""OSCQuery beside an instrument that plays: asked by plain HTTP, WebSocket and zeroconf clients."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from control_tables import ENGINE_SPACE, ENGINE_TABLE, SHIPPED_SPACE
from osc_program import Program, build, flat
from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

from engine.controls.control import FREE
from engine.controls.settings import Settings
from engine.errors import ConfigError
from engine.instrument import Instrument
from osc.query.namespace import node
from osc.query.request_checks import host_is_ours, origin_is_ours
from osc.server import OscServer


@pytest.fixture
def server(instrument: Instrument, at_first: Settings, tmp_path: Path) -> Iterator[OscServer]:
    instrument.set(**at_first.values)
    with OscServer(instrument, port=0, library=tmp_path / "library", query_ports=(0,)) as made:
        yield made


def ask(server: OscServer, path: str, **headers: str) -> tuple[int, Any]:
    """The status, and the JSON or the text of the answer."""
    url = f"http://127.0.0.1:{server.query_port}{path}"
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text, status, kind = answer.read(), answer.status, answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    if status == 204:
        return 204, None
    assert kind == "application/json"
    return status, json.loads(text)


def leaves(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of the tree."""
    yield found
    for below in found.get("CONTENTS", {}).values():
        yield from leaves(below)


def test_the_whole_tree_says_what_the_table_says(server, instrument):
    status, tree = ask(server, "/")
    assert (status, tree["FULL_PATH"]) == (200, "/")
    by_path = {one["FULL_PATH"]: one for one in leaves(tree)}
    assert {a.path for a in ENGINE_SPACE.addresses if a.kind != "answer"} <= set(by_path)
    assert not {a.path for a in ENGINE_SPACE.addresses if a.kind == "answer"} & set(by_path)
    for p in ENGINE_TABLE:
        a = ENGINE_SPACE.of(p.name)
        one = by_path[a.path]
        assert (one["TYPE"], one["ACCESS"], one.get("UNIT")) == (
            a.types, 3, [p.unit] if p.unit else None,
        )  # fmt: skip
        assert one["DESCRIPTION"].startswith(p.about)
        assert one["TAGS"] == [p.when]
        held = instrument.settings[p.name]
        assert one["VALUE"] == [None if held == FREE and p.free and not p.choices else held]
        assert one["DEFAULT_VALUE"] == [instrument.settings.table[p.name].default]
        if p.choices:
            assert one["RANGE"] == [{"VALS": list(p.choices)}]
        else:
            assert one["RANGE"] == [{"MIN": p.low, "MAX": p.high}]
            assert one["CLIPMODE"] == ["both"]
        assert by_path[a.path + "/norm"]["RANGE"] == [{"MIN": 0, "MAX": 1}]
    assert by_path["/panic"]["ACCESS"] == 2
    assert "VALUE" not in by_path["/panic"]
    assert by_path["/lock"]["ACCESS"] == 0
    assert set(by_path["/lock"]["CONTENTS"]) >= {"gain", "seed"}


def test_one_attribute_is_queried_and_follows_the_instrument(server, instrument):
    instrument.set(gain=-7.5)
    assert ask(server, "/gain?VALUE") == (200, {"VALUE": [-7.5]})
    assert ask(server, "/gain?RANGE") == (200, {"RANGE": [{"MIN": -60, "MAX": 12}]})
    assert ask(server, "/sampler?RANGE")[1]["RANGE"][0]["VALS"][:2] == ["pack", "ddim"]
    assert ask(server, "/panic?VALUE") == (204, None)
    assert ask(server, "/gain?PRICE")[0] == 400
    assert ask(server, "/no/such")[0] == 404
    assert ask(server, "/error")[0] == 404


def test_host_info_says_where_osc_and_the_socket_are(server):
    status, info = ask(server, "/?HOST_INFO")
    assert (status, info["OSC_PORT"], info["WS_PORT"]) == (200, server.port, server.query_port)
    assert (info["OSC_IP"], info["OSC_TRANSPORT"]) == ("127.0.0.1", "UDP")
    assert info["EXTENSIONS"]["LISTEN"] is True


def test_pages_and_names_of_others_are_refused(server):
    assert ask(server, "/gain", Host="evil.example")[0] == 403
    assert ask(server, "/gain", Origin="https://evil.example")[0] == 403
    assert ask(server, "/gain", Origin="null")[0] == 403
    assert ask(server, "/gain", Host=f"localhost:{server.query_port}")[0] == 200
    assert ask(server, "/gain", Origin="http://localhost:8080")[0] == 200


@pytest.mark.parametrize(("host", "ours"), [
    ("127.0.0.1:9012", True), ("[::1]:9012", True), ("192.168.1.7", True), ("LOCALHOST.", True),
    ("studio", True), ("studio.local:9012", True), ("studio.evil.example", False), ("", False),
    (None, False), ("127.0.0.1.evil.example", False), ("[", False), ("localhost@evil", False),
])  # fmt: skip
def test_hosts(host, ours):
    assert host_is_ours(host, "Studio") is ours


@pytest.mark.parametrize(("origin", "host", "ours"), [
    (None, "localhost", True), ("http://127.0.0.1:3000", "127.0.0.1:9012", True),
    ("http://192.168.1.7:9012", "192.168.1.7:9012", True), ("null", "localhost", False),
    ("http://192.168.1.8", "192.168.1.7", False), ("", "", False), ("https://a.b", "", False),
])  # fmt: skip
def test_origins(origin, host, ours):
    assert origin_is_ours(origin, host) is ours


def over_socket(
    server: OscServer, talk: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]]
) -> None:
    """Open a WebSocket and talk over it."""

    async def run() -> None:
        url = f"ws://127.0.0.1:{server.query_port}/"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
            await talk(ws)

    asyncio.run(run())


async def heard(ws: aiohttp.ClientWebSocketResponse, seconds: float = 8.0) -> list[Any]:
    """What the next packet says."""
    return flat(await asyncio.wait_for(ws.receive_bytes(), seconds))


async def settled(ws: aiohttp.ClientWebSocketResponse) -> None:
    """All that was sent before has been carried out."""
    await ws.send_bytes(build("/ping").dgram)
    while (await heard(ws))[0][0] != "/pong":
        pass


def test_a_socket_that_listens_is_pushed_what_others_turn_until_it_ignores(server, instrument):
    async def talk(ws):
        await ws.send_json({"COMMAND": "LISTEN", "DATA": "/gain"})
        await settled(ws)
        instrument.set(gain=-4.0)
        assert await heard(ws) == [("/gain", -4.0)]
        instrument.set(steps=5)  # not listened to
        one = Program(server.port)
        one.ask("/gain", -2.0)
        one.close()
        assert await heard(ws) == [("/gain", -2.0)]
        await ws.send_json({"COMMAND": "IGNORE", "DATA": "/gain"})
        await settled(ws)
        instrument.set(gain=-1.0)
        with pytest.raises(TimeoutError):
            await heard(ws, 0.3)

    over_socket(server, talk)


def test_a_socket_listens_to_every_control_at_once(server, instrument):
    async def talk(ws):
        for a in ENGINE_SPACE.addresses:
            if a.kind in ("control", "norm"):
                await ws.send_json({"COMMAND": "LISTEN", "DATA": a.path})
        await settled(ws)
        instrument.set(gain=-9.0, pause=False, seed=77)
        said = {}
        while not {"/gain", "/gain/norm", "/seed", "/seed/norm"} <= set(said):
            said |= {m[0]: m[1] for m in await heard(ws)}
        assert (said["/gain"], said["/seed"]) == (-9.0, 77)

    over_socket(server, talk)


def test_a_socket_sets_controls_with_binary_osc(server, instrument):
    async def talk(ws):
        await ws.send_bytes(build("/gain", -11.0).dgram)
        assert await heard(ws) == [("/gain", -11.0)]
        await ws.send_bytes(build("/no/such", 1).dgram)
        assert (await heard(ws))[0][:3] == ("/error", "/no/such", "unknown")

    over_socket(server, talk)
    assert instrument.settings["gain"] == -11.0


@pytest.mark.parametrize("text", [
    "", "{", "[]", "7", '{"COMMAND": "LISTEN"}', '{"COMMAND": 1, "DATA": "/gain"}',
    '{"COMMAND": "LISTEN", "DATA": "/nothing"}', '{"COMMAND": "LISTEN", "DATA": "/panic"}',
    '{"COMMAND": "IGNORE", "DATA": "/gain"}', '{"COMMAND": "LISTEN", "DATA": ["/gain"]}',
    "[" * 20_000,
])  # fmt: skip
def test_what_makes_no_sense_leaves_the_socket_open(server, text):
    async def talk(ws):
        await ws.send_str(text)
        await ws.send_bytes(b"no osc")
        assert (await heard(ws))[0][:3] == ("/error", "", "packet")
        await settled(ws)

    over_socket(server, talk)


def test_a_page_of_another_machine_gets_no_socket(server):
    async def run():
        url = f"ws://127.0.0.1:{server.query_port}/"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(url, origin="https://evil.example")
        assert caught.value.status == 403

    asyncio.run(run())


def test_a_taken_port_is_one_line_or_another_port(instrument, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is in use.*--oscquery-port"):
            OscServer(instrument, port=0, library=tmp_path, query_ports=(port,)).start()
        other = OscServer(instrument, port=0, library=tmp_path, query_ports=(port, 0))
        with other:
            assert other.query_port not in (0, port)
            assert ask(other, "/gain?VALUE")[0] == 200


def test_zeroconf_finds_both_services_on_loopback(instrument, tmp_path):
    kinds = ["_oscjson._tcp.local.", "_osc._udp.local."]
    found: dict[str, int] = {}
    complete = threading.Event()
    with OscServer(instrument, port=0, library=tmp_path, query_ports=(0,), announce=True) as server:
        ports = dict(zip(kinds, (server.query_port, server.port), strict=True))

        def changed(
            zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
        ) -> None:
            if complete.is_set():
                return
            info = zeroconf.get_service_info(service_type, name, 2000)
            if info is not None and info.port == ports[service_type]:
                assert info.parsed_addresses() == ["127.0.0.1"]
                found[service_type] = info.port
            if found == ports:
                complete.set()

        with Zeroconf(interfaces=["127.0.0.1"]) as other:
            browser = ServiceBrowser(other, kinds, handlers=[changed])
            found_in_time = complete.wait(20)
            browser.cancel()  # while `other` still answers what the callback asks of it
            assert found_in_time, found


def test_a_query_returns_one_branch_of_the_tree_and_nothing_beyond():
    branch = node(SHIPPED_SPACE, "/pack/harmony/", lambda a: [0.25] * len(a.types))
    assert branch is not None
    assert {tuple(one["FULL_PATH"].split("/")[1:3]) for one in leaves(branch)} == {
        ("pack", "harmony")
    }
    assert len(branch["VALUE"]) == len(branch["RANGE"]) == 12
    assert set(branch["CONTENTS"]) >= {"c", "c_sharp", "b"}
    assert node(SHIPPED_SPACE, "/harm", lambda a: [0.0]) is None
