"""The pipe between the engine and its generator."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from engine.stream.messages import receive, send

ARRAYS = st.dictionaries(
    st.text(max_size=20),
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    ),
    max_size=4,
)


@given(ARRAYS, st.text())
def test_named_arrays_of_every_type_arrive_as_they_were_sent(sent, text):
    pipe = io.BytesIO()
    send(pipe, {"op": "state", "text": text}, sent)
    send(pipe, {"op": "done"})
    pipe.seek(0)
    first, second = receive(pipe), receive(pipe)
    assert (first.op, first.head["text"]) == ("state", text)
    assert list(first.arrays) == list(sent)
    for name, array in sent.items():
        assert (first.arrays[name].dtype, first.arrays[name].shape) == (array.dtype, array.shape)
        assert first.arrays[name].tobytes() == array.tobytes()
    assert (second.op, second.arrays, second.samples) == ("done", {}, None)
    assert receive(pipe) is None


def test_an_array_that_is_not_contiguous_arrives_with_its_values():
    pipe = io.BytesIO()
    array = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2].T
    send(pipe, {"op": "block"}, {"samples": array})
    pipe.seek(0)
    np.testing.assert_array_equal(receive(pipe).samples, array)


@pytest.mark.parametrize("dtype", [np.float16, np.complex64, object])
def test_an_array_of_another_type_is_refused_before_anything_is_sent(dtype):
    pipe = io.BytesIO()
    with pytest.raises(ValueError, match=r"array 'x' is .*; use float32, float64, int64, bool"):
        send(pipe, {"op": "state"}, {"x": np.zeros(3, dtype)})
    assert pipe.getvalue() == b""


def test_an_array_of_an_unknown_type_is_a_pipe_out_of_step():
    pipe = io.BytesIO()
    send(pipe, {"op": "state", "arrays": [["x", "object", [1]]]})
    pipe.seek(0)
    with pytest.raises(EOFError, match="'object'"):
        receive(pipe)


def test_a_pipe_cut_within_a_message_is_noticed():
    pipe = io.BytesIO()
    send(pipe, {"op": "block"}, {"samples": np.zeros((10, 1), np.float32)})
    cut = io.BytesIO(pipe.getvalue()[:-3])
    with pytest.raises(EOFError):
        receive(cut)


def test_a_pipe_that_another_thread_closed_is_a_broken_pipe():
    pipe = io.BytesIO()
    pipe.close()
    with pytest.raises(BrokenPipeError, match="closed"):
        send(pipe, {"op": "make"})


def test_noise_on_the_pipe_is_not_taken_for_a_huge_message():
    with pytest.raises(EOFError, match="too large"):
        receive(io.BytesIO(b"\xff" * 64))
