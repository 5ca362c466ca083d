"""OSC: controls an instrument from other programs over UDP and TCP. May import `engine` only."""

from __future__ import annotations

__all__ = ["LOOPBACK", "PORT", "QUERY_PORT"]

PORT = 9010  # not 9000 or 8000, which many programs use
QUERY_PORT = 9012  # OSCQuery, over TCP; the examples use 9011 for clients
LOOPBACK = "127.0.0.1"
