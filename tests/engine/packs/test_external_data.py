"""Tensors that an ONNX graph keeps outside of its file: only listed, hashed files are opened."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx_by_hand import SIZE, adding, inside, number, tensor

from engine.errors import PackError
from engine.execution.onnx_graph import open_graph
from engine.onnx_runtime import open_session
from engine.packs.external_data import MalformedGraph, external_files
from engine.packs.read import read_manifest

TINY = Path(__file__).parents[2] / "data" / "packs" / "tiny"
PIANO = Path(__file__).parents[3] / "packs" / "piano"


def initializer(location: str) -> bytes:
    return adding(inside(5, tensor(location)))


def constant(location: str) -> bytes:
    """The same tensor as an attribute of a node."""
    attribute = inside(1, "value") + inside(5, tensor(location)) + number(20, 4)
    return adding(inside(1, inside(2, "w") + inside(4, "Constant") + inside(5, attribute)))


WEIGHTS = np.arange(SIZE, dtype=np.float32).tobytes()
KINDS = pytest.mark.parametrize("kind", [initializer, constant])


def computed(session):
    return session.run(None, {"x": np.ones(SIZE, np.float32)})[0]


def pack_of(folder: Path, graph: bytes, **files: bytes):
    """A pack that lists `graph.onnx` and `files`, beside those of the tests' small pack."""
    pack = Path(shutil.copytree(TINY, folder / "tiny"))
    for name, data in {"graph.onnx": graph, **files}.items():
        path = pack / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        with (pack / "pack.toml").open("a") as file:
            digest = hashlib.sha256(data).hexdigest()
            file.write(f'"{name.replace("__", "/")}" = "{digest}"\n')
    return read_manifest(pack)


@KINDS
def test_listed_data_is_used(tmp_path, kind):
    manifest = pack_of(tmp_path, kind("weights.bin"), **{"weights.bin": WEIGHTS})
    assert external_files(kind("weights.bin")) == ("weights.bin",)
    np.testing.assert_array_equal(computed(open_graph(manifest, "graph.onnx")), np.arange(SIZE) + 1)


@KINDS
def test_data_beside_the_graph_that_is_not_listed_is_refused(tmp_path, monkeypatch, kind):
    manifest = pack_of(tmp_path, kind("weights.bin"))
    (manifest.folder / "weights.bin").write_bytes(WEIGHTS)
    monkeypatch.chdir(manifest.folder)
    with pytest.raises(PackError, match=r"its data is in 'weights\.bin', which is not listed"):
        open_graph(manifest, "graph.onnx")


@KINDS
@pytest.mark.parametrize("location", ["../secret", "{root}/secret", "sub/../../secret", "./secret"])
def test_a_place_outside_of_the_pack_is_refused_listed_or_not(tmp_path, kind, location):
    (tmp_path / "secret").write_bytes(WEIGHTS)
    location = location.format(root=tmp_path)
    manifest = pack_of(tmp_path, kind(location))
    (manifest.folder / "secret").write_bytes(WEIGHTS)
    with pytest.raises(PackError):
        open_graph(manifest, "graph.onnx")
    with (manifest.folder / "pack.toml").open("a") as file:
        file.write(f'"{location}" = "{hashlib.sha256(WEIGHTS).hexdigest()}"\n')
    if location == "./secret":
        computed(open_graph(read_manifest(manifest.folder), "graph.onnx"))
        return
    with pytest.raises(PackError, match="not a listed file of the pack"):
        open_graph(read_manifest(manifest.folder), "graph.onnx")


def test_damaged_data_is_refused(tmp_path):
    manifest = pack_of(tmp_path, initializer("weights.bin"), **{"weights.bin": WEIGHTS})
    (manifest.folder / "weights.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(PackError, match=r"weights\.bin: damaged"):
        open_graph(manifest, "graph.onnx")


@KINDS
def test_the_runtime_itself_opens_no_file_that_was_not_handed_over(tmp_path, monkeypatch, kind):
    """The second wall: what the reader of graphs might overlook, ONNX Runtime cannot find."""
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    monkeypatch.chdir(tmp_path)
    for location in ("weights.bin", str(tmp_path / "weights.bin")):
        with pytest.raises(PackError) as caught:
            open_session("graph.onnx", kind(location))
        assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(
        computed(open_session("graph.onnx", kind("weights.bin"), {"weights.bin": WEIGHTS})),
        np.arange(SIZE) + 1,
    )


def test_graphs_within_graphs_and_functions_are_read_too():
    attribute = inside(1, "value") + inside(5, tensor("deep.bin"))
    node = inside(5, attribute)
    branch = inside(5, inside(1, "then_branch") + inside(6, inside(1, node)))
    assert external_files(inside(7, inside(1, branch))) == ("deep.bin",)
    assert external_files(inside(25, inside(7, node))) == ("deep.bin",)
    assert external_files(inside(7, inside(15, inside(1, tensor("sparse.bin"))))) == ("sparse.bin",)


@pytest.mark.parametrize("graph", sorted(PIANO.glob("*.onnx")), ids=lambda p: p.name)
def test_the_shipped_graphs_keep_everything_inside(graph):
    assert external_files(graph.read_bytes()) == ()


@pytest.mark.parametrize("cut", [1, 5, 100, 2000])
def test_a_graph_that_is_cut_off_is_refused(cut):
    data = (TINY / "step.onnx").read_bytes()
    with pytest.raises(MalformedGraph):
        external_files(data[:-cut])


def test_what_is_no_graph_is_refused_in_one_line(tmp_path):
    for content in (b"no graph", b"\x0b" * 50, b"\xff" * 50, b""):
        (tmp_path / "tiny").exists() and shutil.rmtree(tmp_path / "tiny")
        manifest = pack_of(tmp_path, content)
        with pytest.raises(PackError) as caught:
            open_graph(manifest, "graph.onnx")
        assert "\n" not in str(caught.value)
