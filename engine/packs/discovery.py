"""Where packs are found. Pure functions over folders; any thread.

Looked through in this order, the first pack of a name wins: the folders of ATTACCA_PACKS, the
user's data folder, the packs beside the program (a checkout), the packs installed with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.errors import PackError
from engine.packs.manifest import MANIFEST
from engine.text_files import composed

DEFAULT = "piano"


def user_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where the user's own data lies, whether it exists or not."""
    env = os.environ if environment is None else environment
    home = Path(env.get("HOME") or Path.home())
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA", str(home))) / "attacca"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "attacca"
    return Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "attacca"


def search_folders(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The folders that may hold packs, whether they exist or not."""
    env = os.environ if environment is None else environment
    listed = [Path(p) for p in env.get("ATTACCA_PACKS", "").split(os.pathsep) if p]
    user = user_folder(env) / "packs"
    beside = Path(__file__).resolve().parents[2] / "packs"
    installed = Path(sys.prefix) / "share" / "attacca" / "packs"
    return [*listed, user, beside, installed]


def installed_packs(environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Name to folder of every pack that is installed, damaged ones included."""
    found: dict[str, Path] = {}
    for folder in search_folders(environment):
        if not folder.is_dir():
            continue
        for pack in sorted(folder.iterdir()):
            if (pack / MANIFEST).is_file():
                found.setdefault(composed(pack.name), pack)
    return found


def find_pack(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """The folder of a pack given by name or by path.

    Raises
    ------
    PackError
        When there is none, listing those installed and where was looked.
    """
    as_path = Path(name).expanduser()
    if (as_path / MANIFEST).is_file():
        return as_path
    packs = installed_packs(environment)
    if composed(name) in packs:
        return packs[composed(name)]
    if as_path.exists():
        raise PackError(f"{name}: no {MANIFEST} there; give a pack's folder or name")
    have = ", ".join(sorted(packs)) or "none"
    where = ", ".join(str(f) for f in search_folders(environment)[:-1])
    raise PackError(f"pack {name!r} is not installed; installed: {have} (looked in {where})")
