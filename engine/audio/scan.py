"""A scan for sound devices that does not disturb playback.

PortAudio finds new devices only when it is initialised, and initialising it again ends every stream
of the process; therefore a child process scans. `scan` waits for it, in any thread that may wait.
`python -m engine.audio.scan` is the child process.
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

_LIMIT_S = 20.0  # the child process times out sooner, with a message


def scan() -> tuple[DeviceInfo, ...]:
    """The output devices that exist now; there may be none.

    Raises
    ------
    DeviceError
        PortAudio is missing, or a sound server does not answer.
    """
    try:
        done = subprocess.run(
            child_command("engine.audio.scan"), stdin=subprocess.DEVNULL,
            env=child_environment(), capture_output=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
        reply: Any = json.loads(done.stdout)
        if "error" in reply:
            raise DeviceError(str(reply["error"]))
        return tuple(_info(device) for device in reply["devices"])
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"looking for sound devices took over {_LIMIT_S:g} s; restart the sound server"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"cannot look for sound devices: {error}") from error


def _info(fields: dict[str, Any]) -> DeviceInfo:
    fields["rates"] = tuple(fields["rates"])
    return DeviceInfo(**fields)


def main() -> None:
    """Print the devices as JSON, and exit without closing PortAudio, which may hang."""
    try:
        reply: object = {"devices": [asdict(d) for d in PortAudio().outputs()]}
    except AttaccaError as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
