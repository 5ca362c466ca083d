"""The pipe between the engine and its generator."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stream.messages import receive, send


@given(st.integers(0, 300), st.integers(1, 2), st.text())
def test_what_goes_in_comes_out(frames, channels, text):
    pipe = io.BytesIO()
    samples = np.random.default_rng(0).standard_normal((frames, channels)).astype(np.float32)
    send(pipe, {"op": "block", "text": text}, samples)
    send(pipe, {"op": "done"})
    pipe.seek(0)
    first, second = receive(pipe), receive(pipe)
    assert first.op == "block"
    assert first.head["text"] == text
    np.testing.assert_array_equal(first.samples, samples)
    assert (second.op, second.samples) == ("done", None)
    assert receive(pipe) is None


def test_a_pipe_cut_within_a_message_is_noticed():
    pipe = io.BytesIO()
    send(pipe, {"op": "block"}, np.zeros((10, 1), np.float32))
    cut = io.BytesIO(pipe.getvalue()[:-3])
    with pytest.raises(EOFError):
        receive(cut)


def test_a_pipe_that_another_thread_closed_is_a_broken_pipe():
    pipe = io.BytesIO()
    pipe.close()
    with pytest.raises(BrokenPipeError, match="closed"):
        send(pipe, {"op": "make"})


def test_noise_on_the_pipe_is_not_taken_for_a_huge_message():
    with pytest.raises(EOFError, match="no message"):
        receive(io.BytesIO(b"\xff" * 64))
