"""Finds packs. Pure functions over folders; any thread.

The search order is: the folders of ATTACCA_PACKS, the user's data folder, the packs beside the
program (in a checkout), the packs installed with it. The first pack of a name is used.
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


def home_folder(environment: Mapping[str, str] | None = None) -> Path:
    """The user's home; the root folder for a user without a home, as in many containers."""
    env = os.environ if environment is None else environment
    if env.get("HOME"):
        return Path(env["HOME"])
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry in the system's list of users
        return Path(os.sep)


def user_folder(environment: Mapping[str, str] | None = None) -> Path:
    """The folder of the user's data, which may not exist."""
    env = os.environ if environment is None else environment
    home = home_folder(env)
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or home) / "attacca"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "attacca"
    data = Path(env.get("XDG_DATA_HOME", ""))
    # The XDG Base Directory Specification ignores relative paths.
    return (data if data.is_absolute() else home / ".local" / "share") / "attacca"


def search_folders(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The folders to search for packs; some may not exist."""
    env = os.environ if environment is None else environment
    listed = [Path(p) for p in env.get("ATTACCA_PACKS", "").split(os.pathsep) if p]
    user = user_folder(env) / "packs"
    beside = Path(__file__).resolve().parents[2] / "packs"
    installed = Path(sys.prefix) / "share" / "attacca" / "packs"
    return [*listed, user, beside, installed]


def installed_packs(environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """The folders of all installed packs by name, including damaged packs."""
    found: dict[str, Path] = {}
    for folder in search_folders(environment):
        try:
            packs = sorted(folder.iterdir())
        except OSError:  # missing or not readable, such as another user's home after `sudo -u`
            continue
        for pack in packs:
            if _is_pack(pack):
                found.setdefault(composed(pack.name), pack)
    return found


def _is_pack(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:  # no permission, or a name that is too long
        return False


def find_pack(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """The folder of a pack, by name or path.

    Raises
    ------
    PackError
        There is no such pack; the message lists the installed packs and the searched folders.
    """
    as_path = Path(os.path.expanduser(name))  # noqa: PTH111 (Path's raises without a home)
    if _is_pack(as_path):
        return as_path
    packs = installed_packs(environment)
    if composed(name) in packs:
        return packs[composed(name)]
    if os.path.lexists(as_path):
        raise PackError(f"{name}: there is no {MANIFEST}; use the folder or name of a pack")
    have = ", ".join(sorted(packs)) or "none"
    where = ", ".join(str(f) for f in search_folders(environment)[:-1])
    raise PackError(f"pack {name!r} is not installed; installed: {have} (searched in {where})")
