"""How the engine is built: arrows one way, no circles, and nothing that knows an instrument."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "engine"

# Folders of the engine, each of which may import those before it and none after.
ORDER = (
    "sampling", "notes", "controls", "time", "representations", "packs", "execution", "stages",
    "stream", "audio",
)  # fmt: skip
GENERIC = ("stages", "stream", "execution")


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in ENGINE.rglob("*.py")}


def imports(path):
    """The engine's modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_module_imports_itself_through_others_not_even_for_types():
    graph = {name: {n for n in imports(path) if n in MODULES} for name, path in MODULES.items()}
    order = TopologicalSorter(graph)
    order.prepare()  # raises with the circle


@pytest.mark.parametrize("folder", ORDER)
def test_arrows_between_folders_run_one_way(folder):
    allowed = {*ORDER[: ORDER.index(folder) + 1]}
    wrong = defaultdict(set)
    for name, path in MODULES.items():
        if name.split(".")[1:2] != [folder]:
            continue
        for other in imports(path):
            parts = other.split(".")
            if parts[0] == "engine" and parts[1:2] and parts[1] in set(ORDER) - allowed:
                wrong[name].add(other)
    assert not wrong


def test_every_folder_of_the_engine_has_its_place():
    folders = {p.name for p in ENGINE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert folders == set(ORDER)


def names_of_stages_and_signals():
    """Those of the shipped pack and of its controls: words that only a pack may use."""
    from engine.packs.read import read_manifest

    manifest = read_manifest(ROOT / "packs" / "piano")
    names = {s.name for s in manifest.stages} | {s.name for s in manifest.signals}
    return names | {c.short for c in manifest.controls}


# Words that mean something else there as well, and where.
ALSO = {"notes", "sound", "audio", "decode", "held"}


@pytest.mark.parametrize("folder", GENERIC)
def test_nothing_selects_a_stage_a_signal_or_a_control_by_its_name(folder):
    names = names_of_stages_and_signals() - ALSO
    found = []
    for path in (ENGINE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in names:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}")
    assert not found


@pytest.mark.parametrize("folder", GENERIC)
def test_nothing_selects_a_stage_or_a_signal_by_its_position(folder):
    found = []
    for path in (ENGINE / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Subscript):
                continue
            what, where = ast.unparse(node.value), ast.unparse(node.slice)
            last = what.rsplit(".", 1)[-1]
            if last in ("stages", "signals", "_stages", "_signals") and where in ("0", "-1"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not found


@pytest.mark.parametrize("folder", GENERIC)
def test_nothing_knows_a_number_of_keys(folder):
    numbers = {88, 352, 21, 108}
    found = []
    for path in (ENGINE / folder).rglob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value in numbers:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}")
        found += [f"{path.name}: {w}" for w in ("PITCHES", "LOWEST") if w in text]
    assert not found
