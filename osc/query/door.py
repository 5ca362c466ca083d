"""Who may ask over HTTP: the checks of Host and Origin that keep web pages of others out.

A page on the web can have its reader's browser ask this machine. It cannot lie about its Origin,
and a name that it makes point here (DNS rebinding) shows in Host. Pure functions, any thread.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["host_is_ours", "origin_is_ours"]


def host_is_ours(header: str | None, name: str) -> bool:
    """Whether a Host header is an address in numbers, `localhost`, or this machine's own `name`."""
    host = _host("//" + (header or ""))
    if not host:
        return False
    own = name.lower().removesuffix(".local")
    return _address(host) is not None or host in {"localhost", own, own + ".local"}


def origin_is_ours(header: str | None, host_header: str | None) -> bool:
    """Whether an Origin header is missing (no page asks), of this machine, or where it asks."""
    if header is None:
        return True
    host, asked = _host(header), _host("//" + (host_header or ""))
    address = _address(host)
    at_home = host == "localhost" or (address is not None and address.is_loopback)
    return at_home or bool(host and host == asked)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
