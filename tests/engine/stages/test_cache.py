"""What a stage remembers as tensors: each frame is read once, and kept for as long as the past."""

import numpy as np
import pytest

from engine.errors import PackError
from engine.execution.protocols import TensorInfo
from engine.stages.cache import FrameCache
from engine.stages.log import SignalLog

PAST, CHUNK = 6, 2


class Reader:
    """Entries [1, chunk, 2]: the first row of each frame, and of what else is read there."""

    name = "read.onnx"

    def __init__(self, chunk=CHUNK):
        self.inputs = {
            "frames": TensorInfo((1, 2, chunk)), "position": TensorInfo((1,)),
            "count": TensorInfo((1,)), "past_memory": TensorInfo((1, PAST, 2)),
            "bars": TensorInfo((1, 1, chunk)),
        }  # fmt: skip
        self.outputs = {"memory": TensorInfo((1, chunk, 2))}
        self.read = []

    def run(self, feed, outputs):
        assert {n: a.shape for n, a in feed.items()} == {n: t.shape for n, t in self.inputs.items()}
        self.read.append((int(feed["position"][0]), int(feed["count"][0])))
        return [np.stack([feed["frames"][0, 0], feed["bars"][0, 0]], axis=1)[None]]


class Step:
    name, outputs = "step.onnx", {}

    def __init__(self, past=PAST):
        self.inputs = {"memory": TensorInfo((1, past, 2))}


def others(first, end):
    return {"bars": np.arange(first, end, dtype=np.float32)[None] / 10, "more": np.zeros((1, 9))}


def committed(log, first, count):
    frames = np.arange(first, first + count, dtype=np.float32)
    log.commit(np.stack([frames, frames]), count)


@pytest.fixture
def log():
    return SignalLog(np.zeros((2, 1), np.float32), PAST)


def test_each_frame_is_read_once_with_what_the_stage_reads_there(log):
    graph = Reader()
    cache = FrameCache(graph, PAST, [Step()])
    assert cache.tensors(log, others)["count"] == [0]
    for first in (0, 4, 8):
        committed(log, first, 4)
        tensors = cache.tensors(log, others)
    assert graph.read == [(0, 0), (2, 2), (4, 4), (6, 6), (8, 6), (10, 6)]
    assert tensors["memory"][0, :, 0].tolist() == [6, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(tensors["memory"][0, :, 1], np.arange(6, 12) / 10, rtol=1e-6)
    assert (tensors["position"].tolist(), tensors["count"].tolist()) == ([12], [6])


def test_a_past_that_came_from_elsewhere_is_read_as_a_whole(log):
    graph = Reader()
    cache = FrameCache(graph, PAST, [Step()])
    log.replace_past(np.ones((2, PAST), np.float32))
    cache.tensors(log, others)
    assert [position for position, _ in graph.read] == [-6, -4, -2]


def test_a_restored_cache_reads_only_what_is_new(log):
    cache, graph = FrameCache(Reader(), PAST, [Step()]), Reader()
    cache.tensors(log, others)
    committed(log, 0, 4)
    before = cache.tensors(log, others)
    again = FrameCache(graph, PAST, [Step()])
    again.restore(cache.state())
    committed(log, 4, 2)
    assert again.tensors(log, others)["memory"][0, :-2].tolist() == before["memory"][0, 2:].tolist()
    assert graph.read == [(4, 4)]


def test_frames_that_are_no_whole_number_of_chunks_are_refused(log):
    cache = FrameCache(Reader(), PAST, [Step()])
    committed(log, 0, 2)
    cache.tensors(log, others)
    committed(log, 2, 1)
    with pytest.raises(PackError, match="1 frames are committed, but it reads 2 at a time"):
        cache.tensors(log, others)


def test_a_graph_that_reads_entries_of_another_length_is_refused():
    with pytest.raises(PackError, match=r"output 'memory' is \[1, 2, 2\]"):
        FrameCache(Reader(), PAST, [Step(), Step(past=7)])
