"""Types of the functions that handle messages.

`Handler(client, arguments)` handles one message, in the OSC thread. It must not wait, and raises
an AttaccaError if it refuses the message.

`Slow(client, address, work, done)` runs `work` in another thread, then `done` with its result in
the OSC thread. `done` returns the text for /done, or None if the work is not finished yet.

`Later(client, address, action)` runs an action in the OSC thread, from any thread; the client
receives its errors.
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
