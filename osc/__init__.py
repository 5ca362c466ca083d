"""OSC: steers an instrument from other programs over UDP and TCP. May import `engine` only."""

from __future__ import annotations

__all__ = ["LOOPBACK", "PORT"]

PORT = 9010  # beside 9000 and 8000, on which many programs listen themselves
LOOPBACK = "127.0.0.1"
