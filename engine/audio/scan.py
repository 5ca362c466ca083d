"""What sound devices there are now, found without touching those that play.

PortAudio looks for devices only when it is started, and starting it anew ends every stream of the
process: so a process of its own looks. `scan` waits for it; any thread that may wait.
`python -m engine.audio.scan` is that process.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict
from typing import Any

from engine.audio.portaudio import DeviceInfo, PortAudio
from engine.child_process import child_command, child_environment
from engine.errors import AttaccaError, DeviceError

__all__ = ["scan"]

_PATIENCE = 20.0  # seconds; the process itself gives up sooner, with a message


def scan() -> tuple[DeviceInfo, ...]:
    """The output devices of this moment; none is also an answer.

    Raises
    ------
    DeviceError
        PortAudio is missing, or a sound server does not answer.
    """
    try:
        done = subprocess.run(
            child_command("engine.audio.scan"), stdin=subprocess.DEVNULL,
            env=child_environment(), capture_output=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
        told: Any = json.loads(done.stdout)
        if "error" in told:
            raise DeviceError(str(told["error"]))
        return tuple(_info(d) for d in told["devices"])
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"looking for sound devices took over {_PATIENCE:g} s: a sound server hangs"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"cannot look for sound devices: {error}") from error


def _info(told: dict[str, Any]) -> DeviceInfo:
    told["rates"] = tuple(told["rates"])
    return DeviceInfo(**told)


def main() -> None:
    """Print what there is as JSON, and end, whatever the sound system does."""
    try:
        answer: object = {"devices": [asdict(d) for d in PortAudio().outputs()]}
    except AttaccaError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
