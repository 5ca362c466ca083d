"""Announces `_oscjson._tcp` and `_osc._udp` by zeroconf, on the network or on this machine.

Runs in the OSC server's loop. The instrument plays without it: if the system blocks multicast, this
is only logged.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket

from zeroconf import Error, InterfaceChoice, IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

__all__ = ["Announcement", "label"]

_LONGEST_LABEL = 63  # bytes
_ROOM_FOR_A_NUMBER = 4  # bytes, such as "-12", if several share a name

_log = logging.getLogger("attacca.osc")


class Announcement:
    """Both services of one server.

    Parameters
    ----------
    listen : the address that the server listens on; on loopback it is announced only there.
    osc_port, query_port : the ports of OSC over UDP, and of OSCQuery over TCP.
    """

    def __init__(self, listen: str, osc_port: int, query_port: int) -> None:
        self._listen = ipaddress.ip_address(listen)
        self._ports = {"_oscjson._tcp.local.": query_port, "_osc._udp.local.": osc_port}
        self._zeroconf: AsyncZeroconf | None = None

    async def begin(self) -> None:
        """Announce; takes about a second to find free names."""
        everywhere = self._listen.is_unspecified
        version = IPVersion.V4Only
        if self._listen.version == 6:
            version = IPVersion.All if everywhere else IPVersion.V6Only
        try:
            self._zeroconf = AsyncZeroconf(
                interfaces=InterfaceChoice.All if everywhere else [str(self._listen)],
                ip_version=version,
            )
            for kind, port in self._ports.items():
                task = await self._zeroconf.async_register_service(
                    self._service(kind, port), allow_name_change=True
                )
                await task
        except (OSError, Error, RuntimeError, ValueError) as error:  # RuntimeError: no network
            # Only useful on a network, where a phone searches for it.
            level = logging.INFO if self._listen.is_loopback else logging.WARNING
            _log.log(level, "osc: not announced by zeroconf: %s", error)

    def _service(self, kind: str, port: int) -> AsyncServiceInfo:
        host = label(socket.gethostname().partition(".")[0]) or "computer"
        name = label(f"Attacca {port} on {host}", _LONGEST_LABEL - _ROOM_FOR_A_NUMBER)
        return AsyncServiceInfo(
            kind, f"{name}.{kind}", port=port,
            parsed_addresses=_addresses(self._listen.version) if self._listen.is_unspecified
            else [str(self._listen)],
            properties={"txtvers": "1"}, server=f"{host}.local.",
        )  # fmt: skip

    async def end(self) -> None:
        """Withdraw the announcement."""
        if self._zeroconf is not None:
            with contextlib.suppress(OSError, Error):
                await self._zeroconf.async_close()


def label(text: str, most: int = _LONGEST_LABEL) -> str:
    """`text` as a label of DNS (RFC 1035): at most 63 bytes of UTF-8, cut between characters."""
    data = text.encode("utf-8", "replace").replace(b".", b"-")
    return data[:most].decode("utf-8", "ignore").strip()


def _addresses(version: int) -> list[str]:
    """The addresses of this machine for other machines; only IPv4 if `version` is 4."""
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    four = [ip for ip in found if isinstance(ip, str) and not ip.startswith("127.")]
    six = [ip[0] for ip in found if not isinstance(ip, str) and ip[0] != "::1"]
    return four + six if version == 6 else four
