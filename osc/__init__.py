"""OSC: steers an instrument from other programs over UDP and TCP. May import `engine` only."""

from __future__ import annotations

__all__ = ["LOOPBACK", "PORT", "QUERY_PORT"]

PORT = 9010  # beside 9000 and 8000, on which many programs listen themselves
QUERY_PORT = 9012  # of OSCQuery, over TCP; 9011 is where the examples have clients listen
LOOPBACK = "127.0.0.1"
