"""Actions of a client that wait for the beat, with messages about when they happen.

`ADDRESS/pending WHAT seconds` says in how many seconds an action is audible; 0: it was carried out,
-1: another one replaced it. Runs in the OSC thread; the thread of quantised actions passes actions
back to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from engine.instrument import Instrument
from engine.time.quantised_actions import Part, until_block, until_output, until_recorded
from osc.clients import Client, Clients
from osc.handlers import Later

__all__ = ["Quantised", "Step", "until_block", "until_output", "until_recorded"]

# An action, and how long before its audible time it has to run.
Step = tuple[Callable[[], object], Callable[[Instrument], float]]


class Quantised:
    """Passes actions to the quantised actions of an instrument.

    Parameters
    ----------
    instrument : must be playing.
    clients : receive the messages.
    later : runs actions in this thread.
    """

    def __init__(self, instrument: Instrument, clients: Clients, later: Later) -> None:
        self._instrument, self._clients, self._later = instrument, clients, later

    def at(
        self, client: Client, key: str, address: str, what: tuple[object, ...], *steps: Step
    ) -> None:
        """Carry out `steps` on the next beat or bar, or now if /quantise is off.

        Parameters
        ----------
        key : of engine.time.quantised_actions; replaces a waiting action with the same key.
        what : arguments of `ADDRESS/pending`.

        Raises
        ------
        AttaccaError
            Raised by a step that was carried out now.
        """
        instrument, waiting = self._instrument, self._instrument.quantised_actions
        if instrument.settings["quantise"] == "off":
            waiting.cancel(key)
            for action, _ in steps:
                action()
            return
        pending = partial(self._clients.answer, client, f"{address}/pending", *what)
        parts = [
            Part(
                partial(self._later, client, address, action), partial(ahead, instrument)
            )
            for action, ahead in (*steps[:-1], (_then(steps[-1][0], pending), steps[-1][1]))
        ]  # fmt: skip
        left = waiting.at(
            key, *parts,
            on_dropped=partial(self._later, client, address, partial(pending, -1.0)),
        )  # fmt: skip
        pending(max(left, 0.001))  # 0 means that it was carried out


def _then(action: Callable[[], object], pending: Callable[..., object]) -> Callable[[], object]:
    def both() -> None:
        action()
        pending(0.0)

    return both
