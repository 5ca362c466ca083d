"""python-oscquery, which is not of this house, finds the server by zeroconf and asks it by HTTP.

It has no WebSocket, and knows no node that is a control and has `/norm` below it, or that can be
set and not read: of those it gives the JSON alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_tables import ENGINE_SPACE, ENGINE_TABLE
from osc_program import Program
from printing_program import wait_until
from pythonoscquery.osc_query_browser import OSCQueryBrowser
from pythonoscquery.osc_query_client import OSCQueryClient
from pythonoscquery.shared.osc_access import OSCAccess

from engine.controls.settings import Settings
from engine.instrument import Instrument
from osc.server import OscServer
from osc.values import to_normalised


@pytest.fixture(scope="module")
def announced(
    instrument: Instrument, at_first: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OscServer]:
    instrument.set(**at_first.values)
    folder: Path = tmp_path_factory.mktemp("library")
    with OscServer(instrument, port=0, library=folder, query_ports=(0,), announce=True) as made:
        yield made


@pytest.fixture(scope="module")
def client(announced: OscServer) -> Iterator[OSCQueryClient]:
    """Asks whom its own browser has found; there may be others on the network."""
    browser = OSCQueryBrowser()
    try:
        found: list[OSCQueryClient] = []

        def one_is_ours() -> bool:
            services = [s for s in browser.get_discovered_oscquery() if s is not None]
            found[:] = [OSCQueryClient(s) for s in services if s.port == announced.query_port]
            return bool(found)

        wait_until(one_is_ours, "its browser finds the server")
        yield found[0]
    finally:
        browser.zc.close()


def test_it_finds_the_server_and_where_osc_is_taken(client, announced, instrument):
    info = client.get_host_info()
    assert (info.name, info.osc_ip, info.osc_transport) == ("Attacca", "127.0.0.1", "UDP")
    one = Program(info.osc_port, info.osc_ip)
    assert one.ask("/gain", -3.0) == ("/gain", -3.0)
    one.close()
    assert info.extensions["RANGE"] is True


def test_it_reads_every_control_from_0_to_1_with_its_type(client, instrument):
    instrument.set(gain=-24.0, seed=0)
    for p in ENGINE_TABLE:
        node = client.query_node(ENGINE_SPACE.of(p.name).path + "/norm")
        held = to_normalised(p, instrument.settings[p.name])
        value = None if isinstance(held, str) else held
        assert (node.full_path, node.access) == (
            ENGINE_SPACE.of(p.name).path + "/norm", OSCAccess.READWRITE_VALUE,
        )  # fmt: skip
        assert node.value == [value]
        assert node.type == [type(None) if value is None else float]
    assert client.query_node("/gain/norm").value == [0.5]
    assert client.query_node("/no/such") is None


def test_what_it_does_not_model_it_still_hands_on_as_json(client, instrument):
    instrument.set(gain=-7.5)
    for p in ENGINE_TABLE:
        address = ENGINE_SPACE.of(p.name)
        with pytest.raises(ValueError, match=r"child nodes .* or values"):
            client.query_node(address.path)
        said = client.last_json
        assert (said["FULL_PATH"], said["TYPE"]) == (address.path, address.types)
    assert client.query_node("/gain/norm").value == [pytest.approx(52.5 / 72)]
    with pytest.raises(ValueError, match=r"child nodes .* or values"):
        client.query_node("/gain")
    assert client.last_json["VALUE"] == [-7.5]
    assert client.last_json["RANGE"] == [{"MIN": -60, "MAX": 12}]
