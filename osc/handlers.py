"""What answers an address, and what it may hand on. Types alone.

`Handler(client, arguments)` carries out one message, in the OSC thread; it must not wait, and
raises an AttaccaError for what it refuses.

`Slow(client, address, work, done)` has `work` carried out in a thread beside, then `done` with what
it returned in the OSC thread; that answers with the text for /done, or None when it is not done.

`Later(client, address, action)` has an action carried out in the OSC thread, from any thread; its
errors are the client's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from osc.clients import Client

__all__ = ["Handler", "Later", "Slow"]

Handler: TypeAlias = Callable[[Client, Sequence[object]], None]
Slow: TypeAlias = Callable[
    [Client, str, Callable[[], object], Callable[[object], str | None]], None
]
Later: TypeAlias = Callable[[Client, str, Callable[[], object]], None]
