"""Cross-compiles `callback.c` for every supported platform into `native/` (a tool for developers).

`python -m engine.audio.build_native` needs `pip install ziglang` once (its C compiler brings the
headers and linkers of all targets). `--local` builds with this machine's `cc` instead, for this
machine only. Every library contains the SHA-256 of the source.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engine.audio.native import FOLDER, SOURCE, TARGETS, library_path, source_hash
from engine.errors import MissingExtra

__all__ = ["build", "build_all", "main"]

_FLAGS = ("-std=c11", "-O2", "-g0", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")


def build(compiler: list[str], target: Path, flags: tuple[str, ...] = ()) -> Path:
    """Compile `callback.c` into the shared library `target`; `compiler` is a command line.

    Raises
    ------
    subprocess.CalledProcessError
        The compiler failed; its messages are on stderr.
    """
    if target.suffix != ".dll":
        flags = (*flags, "-fPIC")
    if target.suffix == ".dylib":
        flags = (*flags, f"-Wl,-install_name,@rpath/{target.name}")
    # The compiler also writes .pdb and .lib files; keep the library only.
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / target.name
        define = f'-DATTACCA_SOURCE_HASH="{source_hash()}"'
        command = [*compiler, *_FLAGS, *flags, define, "-o", str(output), str(SOURCE)]
        subprocess.run(command, check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output, target)
    return target


def build_all(folder: Path = FOLDER) -> list[Path]:
    """Compile for every row of `TARGETS` with zig's C compiler.

    Raises
    ------
    MissingExtra
        The package `ziglang` is not installed.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise MissingExtra("the cross-compiler is missing; run `pip install ziglang` first")
    zig = [sys.executable, "-P", "-m", "ziglang", "cc"]
    return [
        build([*zig, "-target", triple], folder / name, ("-s",))
        for name, triple in TARGETS.values()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Build the audio callback for all targets, or for this machine only, and list the files."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.audio.build_native", description=main.__doc__
    )
    parser.add_argument(
        "--local", action="store_true", help="build for this machine only, with its cc"
    )
    local: bool = parser.parse_args(arguments).local
    built = [build(["cc"], library_path(), ("-s",))] if local else build_all()
    for path in built:
        print(f"{path.name:24} {path.stat().st_size:7} bytes  {source_hash()[:12]}")


if __name__ == "__main__":
    main()
