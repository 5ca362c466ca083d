"""Finds and opens the compiled audio callback for this machine.

The libraries in `native/` are built from `callback.c` by `python -m engine.audio.build_native` and
shipped, so that users need no compiler. Any thread may call `load`; the library itself has no state
(the rings have it), so opening it twice is harmless.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from pathlib import Path
from typing import Any

from engine.errors import DeviceError

__all__ = ["SOURCE", "TARGETS", "NativeLibrary", "library_path", "load", "source_hash"]

SOURCE = Path(__file__).with_name("callback.c")
FOLDER = Path(__file__).with_name("native")

# (sys.platform, machine) -> file in native/, and the compiler's name of the target. glibc 2.17 is
# from 2012: every Linux on which numpy's wheels run has it.
TARGETS: dict[tuple[str, str], tuple[str, str]] = {
    ("linux", "x86_64"): ("linux-x86_64.so", "x86_64-linux-gnu.2.17"),
    ("linux", "aarch64"): ("linux-aarch64.so", "aarch64-linux-gnu.2.17"),
    ("darwin", "x86_64"): ("macos-x86_64.dylib", "x86_64-macos.11.0"),
    ("darwin", "arm64"): ("macos-arm64.dylib", "aarch64-macos.11.0"),
    ("win32", "x86_64"): ("windows-x86_64.dll", "x86_64-windows-gnu"),
}

_MACHINES = {"amd64": "x86_64", "x64": "x86_64"}

_DECLARATIONS = """
typedef struct {
    uint64_t underruns, missing_frames, idle_frames, flushed_frames;
    uint64_t callbacks, output_underflows, frames_out, last_block;
} attacca_stats;
typedef struct attacca_ring attacca_ring;
const char *attacca_source_hash(void);
attacca_ring *attacca_ring_create(uint64_t frames, uint32_t channels, uint32_t fade,
                                  uint32_t resume);
void attacca_ring_rest(attacca_ring *, uint64_t settle);
void attacca_ring_destroy(attacca_ring *);
uint64_t attacca_ring_capacity(const attacca_ring *);
uint64_t attacca_ring_fill(attacca_ring *);
uint64_t attacca_ring_space(attacca_ring *);
uint64_t attacca_ring_write(attacca_ring *, const float *in, uint64_t frames);
uint64_t attacca_ring_read(attacca_ring *, float *out, uint64_t frames);
int attacca_callback(const void *, void *out, unsigned long frames, const void *time,
                     unsigned long flags, void *user);
void attacca_ring_mute(attacca_ring *, int on);
void attacca_ring_flush(attacca_ring *);
void attacca_ring_stats(attacca_ring *, attacca_stats *);
uint64_t attacca_ring_take_min_fill(attacca_ring *);
"""


def source_hash(source: Path = SOURCE) -> str:
    """SHA-256 (hex) of the C source with LF line ends, whatever the checkout has."""
    return hashlib.sha256(source.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def library_path(system: str | None = None, machine: str | None = None) -> Path:
    """Path of the shipped library for a platform, by default this one.

    Raises
    ------
    DeviceError
        There is no library for the platform.
    """
    system = system or sys.platform
    machine = (machine or platform.machine()).lower()
    machine = _MACHINES.get(machine, machine)
    known = TARGETS.get((system, machine))
    if known is None:
        have = ", ".join(sorted(name.rsplit(".", 1)[0] for name, _ in TARGETS.values()))
        raise DeviceError(
            f"there is no audio callback for {system!r} on {machine!r}, only for {have}; add "
            "the target to engine/audio/native.py and run `python -m engine.audio.build_native`"
        )
    return FOLDER / known[0]


class NativeLibrary:
    """An opened callback library: `ffi` and `lib` of cffi (ABI mode), and the hash of its source.

    Parameters
    ----------
    path : Path
        The shared library.
    source : Path or None
        If it exists, its hash must equal the library's.

    Raises
    ------
    DeviceError
        The file is missing, cannot be opened, or was built from another source.
    """

    def __init__(self, path: Path, source: Path | None = SOURCE) -> None:
        import cffi

        self.path = path
        self.ffi: Any = cffi.FFI()
        self.ffi.cdef(_DECLARATIONS)
        if not path.is_file():
            raise DeviceError(
                f"the audio callback {str(path)!r} is missing; reinstall attacca, or run "
                "`python -m engine.audio.build_native` in a checkout"
            )
        try:
            self.lib: Any = self.ffi.dlopen(str(path))
            self.hash: str = self.ffi.string(self.lib.attacca_source_hash()).decode()
        except (OSError, AttributeError) as error:
            reason = re.sub(r"\s+", " ", str(error))
            raise DeviceError(
                f"the audio callback {str(path)!r} cannot be opened ({reason}); reinstall attacca"
            ) from error
        if source is not None and source.is_file() and self.hash != source_hash(source):
            raise DeviceError(
                f"{path.name!r} was built from another callback.c (hash {self.hash[:12]!r}, the "
                f"source has {source_hash(source)[:12]!r}); run "
                "`python -m engine.audio.build_native`"
            )

    def callback_address(self) -> int:
        """Address of the PortAudio callback (`PaStreamCallback`)."""
        function = self.ffi.addressof(self.lib, "attacca_callback")
        return int(self.ffi.cast("uintptr_t", function))


def load(path: Path | None = None) -> NativeLibrary:
    """Open the library at `path`, by default the shipped one for this machine."""
    return NativeLibrary(path or library_path())
