"""Checks of the Host and Origin headers, which keep foreign web pages out.

A web page can make its reader's browser send requests to this machine. It cannot forge its Origin,
and a name that it points here (DNS rebinding) shows in Host. Pure functions, any thread.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["host_is_ours", "origin_is_ours"]


def host_is_ours(header: str | None, name: str) -> bool:
    """Whether a Host header is a numeric address, `localhost`, or this machine's `name`."""
    host = _host("//" + (header or ""))
    if not host:
        return False
    own = name.lower().removesuffix(".local")
    return _address(host) is not None or host in {"localhost", own, own + ".local"}


def origin_is_ours(header: str | None, host_header: str | None) -> bool:
    """Whether an Origin header is missing (not a page), local, or the same as the Host."""
    if header is None:
        return True
    host, target = _host(header), _host("//" + (host_header or ""))
    address = _address(host)
    at_home = host == "localhost" or (address is not None and address.is_loopback)
    return at_home or bool(host and host == target)


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
