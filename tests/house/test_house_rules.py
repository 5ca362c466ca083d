"""The rules of the house that a reviewer would otherwise have to watch: read off the source."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("attacca", "engine", "export", "training", "osc", "midi", "gui")
FOLDERS = (*PRODUCT, "benchmarks", "examples")
LONGEST = 500  # lines
LONGER = {  # and why
    "engine/instrument.py": (1000, "the public interface: one class, most of it docstrings"),
}

# What a folder must not import, wherever in the file: the house's layers.
FORBIDDEN = {
    "engine": {"torch", "PyQt6", "PySide6", "pyqtgraph", "pythonosc", "rtmidi", "matplotlib",
               "mido", "aiohttp", "zeroconf",
               "attacca", "osc", "midi", "gui", "export", "training", "benchmarks"},
    "osc": {"attacca", "midi", "gui", "export", "training", "benchmarks", "torch", "numpy",
            "onnxruntime", "sounddevice", "mido", "rtmidi"},
    "midi": {"attacca", "osc", "gui", "export", "training", "benchmarks", "torch",
             "onnxruntime", "sounddevice", "pythonosc", "aiohttp", "zeroconf"},
    "gui": {"attacca", "midi", "export", "training", "benchmarks", "torch", "scipy",
            "onnxruntime", "sounddevice", "mido", "rtmidi", "aiohttp", "zeroconf"},
    "export": {"attacca", "osc", "midi", "gui", "benchmarks"},
    "training": {"attacca", "osc", "midi", "gui", "benchmarks"},
}  # fmt: skip
# What the command line may import inside a function only: it is heavy, or an extra.
LAZY_IN_ATTACCA = {"torch", "onnx", "export", "training", "numpy", "scipy", "onnxruntime",
                   "sounddevice", "soundfile", "rich", "pythonosc", "aiohttp", "PyQt6", "gui",
                   "zeroconf", "midi", "mido", "rtmidi"}  # fmt: skip
STANDARD = set(sys.stdlib_module_names)


def sources(*folders: str) -> list[Path]:
    """Every Python file of the folders, as paths from the root."""
    found = [p for f in folders for p in sorted((ROOT / f).rglob("*.py"))]
    return [p.relative_to(ROOT) for p in found]


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what is imported anywhere below `tree`, type checking apart."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0] if node.level == 0 else "."
        else:
            yield from imported(node)


def imported_at_start(tree: ast.Module) -> set[str]:
    """The same, of what is imported when the module is: outside of every function."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = []
    return set(imported(tree))


def test_the_readers_of_imports_see_what_they_should():
    tree = ast.parse(
        "import a.b\nfrom c.d import e\nif TYPE_CHECKING:\n    import f\n"
        "def g():\n    import h\ntry:\n    import i\nexcept ImportError:\n    pass\n"
    )
    assert set(imported(tree)) == {"a", "c", "h", "i"}
    assert imported_at_start(tree) == {"a", "c", "i"}


@pytest.mark.parametrize("folder", [f for f in FORBIDDEN if (ROOT / f).is_dir()])
def test_each_folder_imports_only_what_its_layer_may(folder):
    wrong = {
        f"{path}: {name}"
        for path in sources(folder)
        for name in imported(parsed(path))
        if name in FORBIDDEN[folder]
    }
    assert not wrong


def test_the_window_knows_the_engine_by_osc_and_the_table_of_controls_only():
    seen = {
        f"{path}: {node.module}"
        for path in sources("gui")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("engine", "osc"))
    }
    may = {"engine.controls.control", "engine.controls.table", "engine.controls.shipped_table",
           "engine.errors", "osc", "osc.addresses", "osc.descriptions", "osc.fixed_addresses",
           "osc.framing", "osc.packets", "osc.values"}  # fmt: skip
    assert {line for line in seen if line.split(": ")[1] not in may} == set()
    assert seen


def test_no_import_is_relative():
    wrong = {str(p) for p in sources(*FOLDERS) if "." in imported(parsed(p))}
    assert not wrong


def test_one_module_alone_imports_onnx_runtime():
    """It turns the telemetry off first."""
    found = {
        str(path)
        for path in [*sources(*FOLDERS), *sources("tests")]
        if "onnxruntime" in imported(parsed(path))
    }
    assert found == {"engine/onnx_runtime.py"}


def test_no_python_is_started_that_imports_from_the_current_folder():
    """A command that begins with this Python goes on with -P (engine/child_process.py)."""
    commands = {
        f"{path}:{node.lineno}": [ast.unparse(part) for part in node.elts[:2]]
        for path in [*sources(*FOLDERS), *sources("docs")]
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts
        if ast.unparse(node.elts[0]) == "sys.executable"
    }
    assert commands
    assert {place: c for place, c in commands.items() if c[1:] != ["'-P'"]} == {}


def test_the_command_line_imports_heavy_things_only_when_a_verb_runs():
    wrong = {
        f"{path}: {name}"
        for path in sources("attacca")
        if path.parts[1] in ("cli.py", "options.py", "__init__.py", "__main__.py", "verbs")
        for name in imported_at_start(parsed(path)) & LAZY_IN_ATTACCA
    }
    assert not wrong


def test_export_and_training_are_never_imported_at_start_by_the_front_door():
    wrong = {
        f"{path}: {name}"
        for path in sources("attacca")
        for name in imported_at_start(parsed(path)) & {"export", "training", "torch"}
    }
    assert not wrong


def test_the_player_imports_only_what_play_txt_installs():
    pins = (ROOT / "requirements" / "play.in").read_text(encoding="utf-8")
    installed = set(re.findall(r"^([a-z]+)[><=]", pins, re.MULTILINE))
    if "python-osc" in pins:
        installed.add("pythonosc")
    if "python-rtmidi" in pins:
        installed.add("rtmidi")
    own = {"attacca", "engine", "osc", "midi"}
    extras = {"link", "tokenizers"}  # said to be missing in one line where it is
    wrong = {
        f"{path}: {name}"
        for path in sources("engine", "osc", "midi")
        for name in imported(parsed(path))
        if name not in STANDARD | own | installed | extras
    }
    assert not wrong


@pytest.mark.parametrize("path", sources(*FOLDERS), ids=str)
def test_no_module_is_too_long_to_read(path):
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    longest, _ = LONGER.get(path.as_posix(), (LONGEST, ""))
    assert lines <= longest, f"{path} has {lines} lines: split it by job"


def test_every_module_says_what_it_is():
    silent = [str(p) for p in sources(*FOLDERS) if not ast.get_docstring(parsed(p))]
    assert not silent


def test_no_file_is_called_utils():
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert not [str(p) for p in sources(*FOLDERS, "tests") if p.stem in vague]


def test_the_version_is_the_same_everywhere():
    import attacca

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert attacca.__version__ == project["version"]


def test_every_shipped_pack_is_put_into_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = {p.parent.name for p in (ROOT / "packs").glob("*/pack.toml")}
    packed = project["tool"]["setuptools"]["data-files"]
    assert packed == {f"share/attacca/packs/{n}": [f"packs/{n}/*"] for n in sorted(shipped)}


def test_every_folder_of_code_is_put_into_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["setuptools"]["packages"]["find"]["include"]
    present = {f"{f}*" for f in PRODUCT if (ROOT / f).is_dir()}
    assert set(included) >= present
    initless = [p for p in sources(*(n.rstrip("*") for n in included))
                if not (ROOT / p.parent / "__init__.py").is_file()]  # fmt: skip
    assert not initless


def test_locked_requirements_name_no_place():
    for path in sorted((ROOT / "requirements").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"://|find-links|index-url| @ ", text), path.name


@pytest.mark.parametrize("name", ["play", "gui", "test", "check"])
def test_every_requirement_is_locked_to_one_version(name):
    locked = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in locked if not line.startswith("#")]
    assert [line for line in lines if not re.match(r"[a-z0-9-]+==[\w.]+( ; .+)?$", line)] == []
    wanted = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8")
    packages = set(re.findall(r"^([a-z][a-z0-9-]*)", wanted, re.MULTILINE))
    assert packages
    assert packages - {line.partition("==")[0] for line in lines} == set()


def test_play_locks_no_torch_and_tests_take_the_players_versions():
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        return {line for line in text.splitlines() if line and not line.startswith("#")}

    assert pins("play")
    assert not any(pin.startswith("torch") for pin in pins("play") | pins("test"))
    assert pins("play") <= pins("gui") <= pins("test")
    assert pins("play") <= pins("check")


def test_pyproject_and_play_in_ask_for_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = (ROOT / "requirements" / "play.in").read_text(encoding="utf-8").splitlines()
    assert sorted(project["dependencies"]) == sorted(w for w in wanted if not w.startswith("#"))
