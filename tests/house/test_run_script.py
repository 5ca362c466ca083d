"""`./run` on machines that this one is not: each program it calls is a stand-in with a notebook."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL = ("sh", "cat", "cksum", "chmod", "dirname", "env", "grep", "ls", "mkdir", "mktemp",
        "readlink", "rm", "sed", "sleep", "tail", "touch", "true", "uname")  # fmt: skip

# Answers as Python does, as far as the script asks; PACKAGES holds what apt has installed.
PYTHON = r"""#!/bin/sh
echo "python $*" >>"$NOTES"
[ "${PYTHONSAFEPATH:-}" = 1 ] || echo "imports from the current folder: $*" >>"$NOTES"
case "$*" in
  *version_info*) echo "${FAKE_VERSION:-3.11}" ;;
  *"import ensurepip"*) grep -qx python3.11-venv "$PACKAGES" ;;
  *"import torch"*) exit 1 ;;
  *"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages"
    cat "$0" >"$folder/bin/python"; chmod +x "$folder/bin/python" ;;
  *"-m pip --version"*) exit 1 ;;
  *"pip index versions torch"*) echo "torch (${FAKE_TORCH:-2.13.0})" ;;
  *"-m pip install"*) [ -z "${FAKE_OFFLINE:-}" ] ;;
  *"-m attacca"*) shift 3; echo "attacca: $*" ;;
  *"-m pytest"*) shift 2; for a; do printf '<%s>' "$a"; done; echo ;;
esac
"""
APT = r"""#!/bin/sh
echo "apt-get $*" >>"$NOTES"
case "$*" in
  *" update"*) : >"$PACKAGES.lists" ;;
  *" install "*)
    [ -f "$PACKAGES.lists" ] || { echo "E: Unable to locate package" >&2; exit 100; }
    for a; do case $a in -* | install | *=*) ;; *) echo "$a" >>"$PACKAGES" ;; esac; done ;;
esac
"""
DPKG_QUERY = r"""#!/bin/sh
for a; do ! grep -qx -- "$a" "$PACKAGES" || printf 'installed|%s|' "$a"; done
"""
APT_CACHE = r"""#!/bin/sh
[ -f "$PACKAGES.lists" ] || exit 0
case " ${ARCHIVE_HAS_NOT:-} " in *" $2 "*) exit 0 ;; esac
case $2 in *t64) [ -n "${ARCHIVE_HAS_T64:-}" ] || exit 0 ;; esac
echo "  Candidate: 1.0"
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift
exec "$@"
"""


@dataclass
class Machine:
    """A bare machine in a folder: `run` in a checkout, and a PATH of stand-ins."""

    folder: Path
    root: bool = True
    name: str = "check out"

    def __post_init__(self) -> None:
        self.bin, self.checkout = self.folder / "bin", self.folder / self.name
        self.bin.mkdir()
        self.checkout.mkdir()
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        self.installed = self.folder / "packages"
        self.installed.touch()
        self.notes = self.folder / "notes"
        self.program("python3", PYTHON)
        self.program("apt-get", APT)
        self.program("dpkg-query", DPKG_QUERY)
        self.program("apt-cache", APT_CACHE)
        self.program("id", f"#!/bin/sh\necho {0 if self.root else 1000}\n")
        shutil.copy(ROOT / "run", self.checkout / "run")
        shutil.copytree(ROOT / "requirements", self.checkout / "requirements")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.notes.write_text("")
        names = {"PATH": str(self.bin), "NOTES": str(self.notes), "PACKAGES": str(self.installed)}
        return subprocess.run(
            ["sh", str(self.checkout / "run"), *arguments], env=names | environment,
            capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def noted(self, what: str) -> list[str]:
        """The calls since the last command that contain `what`."""
        return [line for line in self.notes.read_text().splitlines() if what in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def visitor(tmp_path: Path) -> Machine:
    """The same without root's rights."""
    return Machine(tmp_path, root=False)


def test_play_on_a_bare_machine_sets_up_and_plays(machine):
    done = machine("play", "--device", "a b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "attacca: play --device a b\n"
    packages = machine.installed.read_text().split()
    assert packages == ["python3.11-venv", "libportaudio2", "libasound2-plugins"]
    (install,) = machine.noted("pip install")
    assert "requirements/play.txt" in install
    assert "--only-binary=:all:" in install


def test_no_python_of_a_set_up_imports_from_the_current_folder(machine):
    for verb in ("play", "test", "docs", "numbers", "check"):
        machine(verb)
        assert machine.noted("python")
        assert not machine.noted("imports from the current folder")


def test_the_window_brings_qt_and_what_qt_wants_of_the_system(machine):
    done = machine("gui", "--pack", "piano")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "attacca: gui --pack piano\n"
    packages = machine.installed.read_text().split()
    assert {"libportaudio2", "libegl1", "libxcb-cursor0"} <= set(packages)
    (install,) = machine.noted("pip install")
    assert "requirements/gui.txt" in install
    machine("play")
    assert not machine.noted("pip install")


def test_second_start_installs_nothing_and_asks_apt_nothing(machine):
    machine("play")
    done = machine("play")
    assert done.stdout == "attacca: play\n"
    assert done.stderr == ""
    assert not machine.noted("pip") + machine.noted("apt-get")


def test_play_after_test_installs_nothing(machine):
    machine("test")
    done = machine("play")
    assert done.stdout == "attacca: play\n"
    assert done.stderr == ""
    assert not machine.noted("pip") + machine.noted("apt-get")


def test_changed_requirements_are_installed_at_the_next_start(machine):
    machine("play")
    with (machine.checkout / "requirements" / "play.txt").open("a") as file:
        file.write("newcomer==1.0\n")
    machine("play")
    assert len(machine.noted("pip install")) == 1
    machine("play")
    assert not machine.noted("pip install")


def test_another_python_gets_another_environment(machine):
    machine("play")
    machine("play", FAKE_VERSION="3.12")
    assert machine.noted("-m venv --clear")


def test_an_environment_whose_python_has_gone_is_created_again(machine):
    machine("play")
    (machine.checkout / ".venv" / "bin" / "python").unlink()
    done = machine("play")
    assert done.stdout == "attacca: play\n"
    assert machine.noted("-m venv --clear")


def test_without_root_the_exact_line_is_printed(visitor):
    done = visitor("play")
    assert done.returncode == 1
    assert (
        "su -c 'apt-get update && apt-get install -y --no-install-recommends "
        "python3.11-venv libportaudio2 libasound2-plugins'" in done.stderr
    )
    assert not visitor.noted("apt-get")


def test_without_root_it_goes_on_when_only_sound_is_missing(visitor):
    visitor.installed.write_text("python3.11-venv\n")
    done = visitor("play", "--device", "none")
    assert done.returncode == 0
    assert done.stdout == "attacca: play --device none\n"
    assert "apt-get install -y --no-install-recommends libportaudio2 libasound2" in done.stderr
    assert "venv" not in done.stderr.split("Type this once")[1].split("\n\n")[1]


def test_without_root_sudo_is_used_when_it_asks_no_password(visitor):
    visitor.program("sudo", SUDO)
    done = visitor("play")
    assert done.returncode == 0, done.stderr
    assert "libportaudio2" in visitor.installed.read_text()


def test_with_a_sudo_that_asks_the_line_says_sudo(visitor):
    visitor.program("sudo", "#!/bin/sh\nexit 1\n")
    assert "sudo sh -c 'apt-get update && apt-get install -y" in visitor("play").stderr


def test_names_with_t64_are_found(machine):
    (machine.folder / "packages.lists").touch()
    missing = "libportaudio2 libasound2-plugins"
    done = machine("play", ARCHIVE_HAS_NOT=missing, ARCHIVE_HAS_T64="yes")
    assert done.returncode == 0
    assert "libportaudio2t64" in machine.installed.read_text()
    machine("setup", ARCHIVE_HAS_NOT=missing, ARCHIVE_HAS_T64="yes")
    assert not machine.noted("apt-get"), "the t64 name counts as installed"


def test_a_desktop_with_pipewire_gets_its_own_plugin_and_no_second_server(machine):
    machine.installed.write_text("python3.11-venv\npipewire-pulse\n")
    machine("test")
    packages = machine.installed.read_text().split()
    assert "pipewire-alsa" in packages
    assert "libasound2-plugins" not in packages
    assert "pulseaudio" not in packages


def test_a_system_without_apt_gets_a_list_of_what_it_needs(machine):
    for name in ("apt-get", "dpkg-query", "apt-cache"):
        (machine.bin / name).unlink()
    machine.program("ldconfig", "#!/bin/sh\n")
    machine.installed.write_text("python3.11-venv\n")
    done = machine("play", "--device", "none")
    assert done.returncode == 0
    assert "sudo dnf install portaudio" in done.stderr
    assert "sudo pacman -S portaudio" in done.stderr


def test_an_old_python_gets_one_clear_line(machine):
    done = machine("play", FAKE_VERSION="3.10")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "installing system" not in line]
    assert len(lines) == 1
    assert "Python 3.11 to 3.14 is needed: python3 is 3.10" in lines[0]


def test_a_failed_installation_is_not_taken_for_a_good_one(machine):
    assert machine("play", FAKE_OFFLINE="1").returncode == 1
    assert not (machine.checkout / ".venv-lock").exists()
    done = machine("play")
    assert done.returncode == 0
    assert machine.noted("pip install")


def test_only_a_cpu_build_of_torch_is_taken(machine):
    done = machine("test")
    assert len(machine.noted("pip install")) == 1, "the CUDA build is left alone"
    assert "tests marked torch are left out" in done.stderr
    assert done.stdout == "<-m><not torch>\n"
    machine("setup", "test", FAKE_TORCH="2.13.0+cpu")
    assert "train.txt" in machine.noted("pip install")[1]
    assert machine("test").stdout == "\n"


def test_without_torch_the_entered_marks_are_kept(machine):
    done = machine("test", "-x", "-m", "not slow", "-k", "a b")
    assert done.stdout == "<-m><(not slow) and not torch><-x><-k><a b>\n"


def test_ci_stops_where_its_packages_cannot_be_had(visitor):
    visitor.installed.write_text("python3.11-venv\n")
    done = visitor("test", CI="true")
    assert done.returncode == 1
    assert done.stdout == ""


def test_a_killed_set_up_does_not_block_the_next(machine):
    lock = machine.checkout / ".venv-lock"
    lock.mkdir()
    dead = subprocess.Popen(["sleep", "0"])
    dead.wait()
    (lock / "pid").write_text(f"{dead.pid}\n")
    assert machine("play").returncode == 0


def test_a_second_set_up_waits_for_the_first(machine):
    lock = machine.checkout / ".venv-lock"
    lock.mkdir()
    first = subprocess.Popen(["sleep", "2"])
    (lock / "pid").write_text(f"{first.pid}\n")
    started = time.monotonic()
    reaper = subprocess.Popen(["sh", "-c", f"sleep 2; rm -rf '{lock}'"])
    try:
        done = machine("play")
    finally:
        first.wait()
        reaper.wait()
    assert time.monotonic() - started > 1.5
    assert "waiting" in done.stderr
    assert done.returncode == 0


HOSTILE = ["$HOME", "`touch pwned`", "$(touch pwned)", "it's", 'a "b" c', "back\\slash", "-n",
           "* ?", "; touch pwned", "größe", "a & b"]  # fmt: skip


def launched(machine: Machine, launcher: Path, cwd: Path) -> str:
    """What the launcher does from another folder, with what a shell would do to its path undone."""
    done = subprocess.run(
        [str(launcher), "packs", "a b", "$HOME"], cwd=cwd, capture_output=True, text=True,
        env={"PATH": str(machine.bin), "NOTES": str(machine.notes), "HOME": "/nowhere"},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", HOSTILE)
def test_the_launcher_works_whatever_the_checkout_is_called(name: str, tmp_path: Path):
    machine = Machine(tmp_path, name=name)
    done = machine("play")
    assert (done.returncode, done.stdout) == (0, "attacca: play\n"), done.stderr
    venv = machine.checkout / ".venv"
    assert launched(machine, venv / "bin" / "attacca", tmp_path) == "attacca: packs a b $HOME\n"
    (link,) = venv.glob("lib/python3.11/site-packages/attacca-here.pth")
    assert link.read_text() == f"{machine.checkout}\n"
    assert machine("play").stderr == "", "the second start sets nothing up"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", HOSTILE)
def test_the_environment_may_be_in_a_folder_of_any_name(name: str, machine: Machine):
    venv = machine.folder / "elsewhere" / name
    venv.parent.mkdir()
    done = machine("play", ATTACCA_VENV=str(venv))
    assert (done.returncode, done.stdout) == (0, "attacca: play\n"), done.stderr
    launcher = venv / "bin" / "attacca"
    assert launched(machine, launcher, machine.folder) == "attacca: packs a b $HOME\n"
    assert not list(machine.folder.rglob("pwned"))


def test_a_relative_environment_is_found_from_everywhere(machine: Machine, monkeypatch):
    monkeypatch.chdir(machine.folder)
    assert machine("play", ATTACCA_VENV="own").returncode == 0
    launcher = machine.folder / "own" / "bin" / "attacca"
    assert launched(machine, launcher, Path("/")) == "attacca: packs a b $HOME\n"
    assert machine("test", ATTACCA_VENV="own").returncode == 0


@pytest.mark.parametrize("name", ["a:b", "a\nb"])
def test_a_folder_that_python_cannot_have_on_its_path_is_refused_in_one_line(
    name: str, tmp_path: Path
):
    machine = Machine(tmp_path, name=name)
    done = machine("play")
    assert done.returncode == 1
    assert "rename the folder" in done.stderr
    assert not machine.noted("-m venv")
    assert not machine.noted("apt-get")


def test_a_python_in_a_folder_with_spaces_is_taken(machine: Machine):
    folder = machine.folder / "my $pythons"
    folder.mkdir()
    shutil.copy(machine.bin / "python3", folder / "python")
    done = machine("play", ATTACCA_PYTHON=str(folder / "python"))
    assert (done.returncode, done.stdout) == (0, "attacca: play\n"), done.stderr


def test_help_needs_no_set_up(machine):
    for arguments in ((), ("help",)):
        done = machine(*arguments)
        assert done.returncode == 0
        assert "play [options]" in done.stdout
    assert not machine.notes.read_text()


def test_every_target_of_the_makefile_is_a_verb_of_run():
    makefile = (ROOT / "Makefile").read_text()
    script = (ROOT / "run").read_text()
    called = {line.split()[1] for line in makefile.splitlines() if line.startswith("\t@./run ")}
    assert {"play", "test", "check", "numbers", "docs"} <= called
    for verb in called - {"play"}:  # which is attacca's own
        assert f"\n  {verb})" in script, verb


@pytest.mark.skipif(shutil.which("dash") is None, reason="no dash")
def test_the_script_is_plain_posix_shell():
    for name in ("run", ".ci/run", "requirements/lock.sh"):
        done = subprocess.run(["dash", "-n", str(ROOT / name)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert os.access(ROOT / name, os.X_OK), f"{name} cannot be run"
