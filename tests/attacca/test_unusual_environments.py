"""Unusual environments: no home, somebody else's, no current folder, few cores, odd names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import attacca, environment

from engine.cores import usable_cores
from engine.packs.discovery import find_pack, home_folder, installed_packs, user_folder

SHORT = ["--device", "none", "--no-osc", "--no-midi", "--steps", "2", "--duration", "0.5"]
LOST = ["unshare", "--user", "--map-user=12345"]  # a user who is in no list of users


def can_be_lost() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*LOST, "true"], capture_output=True).returncode == 0


lost_user = pytest.mark.skipif(not can_be_lost(), reason="this system allows no new namespace")


def as_lost_user(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": environment()["PYTHONPATH"], **more}
    return subprocess.run(
        [*LOST, sys.executable, "-m", "attacca", *arguments], cwd=folder, env=env,
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def no_traceback(done: subprocess.CompletedProcess[str]) -> bool:
    return "Traceback" not in done.stderr and "Traceback" not in done.stdout


@lost_user
@pytest.mark.parametrize(
    "arguments", [["packs"], ["osc"], ["doctor"], ["midi"], ["devices"], ["play", *SHORT]]
)
def test_a_user_without_a_home_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    done = as_lost_user(tmp_path, *arguments)
    assert no_traceback(done), done.stderr
    if arguments[0] in ("packs", "osc", "play"):
        assert done.returncode == 0, done.stderr


@lost_user
def test_a_home_of_somebody_else_is_no_error(tmp_path: Path) -> None:
    """`sudo -u` without -H."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0)
    more = {"HOME": str(theirs), "XDG_RUNTIME_DIR": str(theirs)}
    for arguments in (["packs"], ["doctor"], ["play", *SHORT], ["bench", "--seconds", "1"]):
        done = as_lost_user(tmp_path, *arguments, **more)
        assert no_traceback(done), done.stderr
        assert arguments == ["doctor"] or done.returncode == 0, done.stderr


def test_the_users_folder_follows_the_rules_of_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert user_folder({"HOME": "/h"}) == Path("/h/.local/share/attacca")
    assert user_folder({"HOME": "/h", "XDG_DATA_HOME": "/d"}) == Path("/d/attacca")
    relative = user_folder({"HOME": "/h", "XDG_DATA_HOME": "d"})
    assert relative == Path("/h/.local/share/attacca")

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert home_folder({}) == Path(os.sep)


def test_a_name_that_no_file_can_have_is_a_pack_that_is_not_there() -> None:
    for name in ("a" * 5000, "~nobody-of-that-name/pack", "nul\0in it"):
        with pytest.raises(Exception, match="is not installed"):
            find_pack(name)
    assert "piano" in installed_packs({"HOME": "/nowhere", "ATTACCA_PACKS": "/proc/1/root:x"})


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["packs"], 0), (["doctor"], None), (["play", *SHORT], 0),
     (["play", *SHORT, "--record", "x.wav"], 1), (["osc", "--out", "x"], 1)],
)  # fmt: skip
def test_a_current_folder_that_is_gone_is_no_traceback(
    arguments: list[str], status: int | None, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "-", sys.executable, "-P", "-m", "attacca",
         *arguments],
        cwd=gone, env=environment(), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert no_traceback(done), done.stderr
    assert status is None or done.returncode == status, done.stderr
    if status == 1:
        assert done.stderr.startswith("attacca: ")
        assert done.stderr.count("\n") == 1


def test_a_name_that_is_no_utf_8_is_rendered_into(tmp_path: Path) -> None:
    done = attacca("render", "--seconds", "0.5", "--steps", "2", os.fsdecode(b"\xff.wav"),
                   cwd=tmp_path, env=environment(PYTHONIOENCODING="utf-8"))  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("?.wav: ")
    assert (tmp_path / os.fsdecode(b"\xff.wav")).is_file()


def test_without_docstrings_and_asserts_it_plays(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "attacca", "play", *SHORT], cwd=tmp_path,
        env=environment(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ cores


@pytest.mark.parametrize(
    ("inner", "outer", "cores"),
    [("max 100000", None, 8), ("150000 100000", None, 2), ("max 100000", "100000 100000", 1),
     ("50000 100000", "400000 100000", 1), ("900000 100000", None, 8), ("nonsense", None, 8)],
)  # fmt: skip
def test_the_quota_of_a_container_limits_the_cores(
    inner: str, outer: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    group = tmp_path / "groups" / "outer" / "inner"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text(f"{inner}\n")
    if outer is not None:
        (group.parent / "cpu.max").write_text(f"{outer}\n")
    own = tmp_path / "own"
    own.write_text("3:cpu:/\n0::/outer/inner\n")
    assert usable_cores(tmp_path / "groups", own) == cores


def test_cores_that_taskset_takes_away_are_not_counted() -> None:
    core = min(os.sched_getaffinity(0))
    code = "from engine.cores import usable_cores; print(usable_cores())"
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}]); {code}"],
        env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "1\n", done.stderr
