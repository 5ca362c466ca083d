"""The walk in the target's memory, proven on the CPU provider against the walk on the host."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_pack import TINY

from engine.errors import ConfigError, PackError
from engine.execution.executor import SamplingJob
from engine.execution.host_walker import HostWalker
from engine.execution.onnx_executor import OnnxExecutor
from engine.execution.targets import checked_target
from engine.packs.read import read_manifest
from engine.sampling.replace import Replace
from engine.sampling.samplers import SAMPLERS, Table, table_for
from engine.sampling.schedules import MAX_STEPS, karras

SHIPPED = Path(__file__).parents[3] / "packs" / "piano"


def sampled_stages(manifest):
    return [stage for stage in manifest.stages if stage.kind == "diffusion"]


class Opened:
    """A stage's graphs, both walkers, and a context for each branch."""

    def __init__(self, folder: Path, number: int) -> None:
        manifest = read_manifest(folder)
        stage = sampled_stages(manifest)[number]
        executor = OnnxExecutor(
            checked_target("cpu"), 1, flush_denormals=False, announce=lambda _: None
        )
        context = executor.open(manifest, stage.graphs["context"])
        step = executor.open(manifest, stage.graphs["step"])
        self.shape = step.inputs["x"].shape[-2:]
        self.host, self.device = (
            HostWalker(step, self.shape),
            executor.device_walker(step, self.shape),
        )
        empty = {name: np.zeros(info.shape, np.float32) for name, info in context.inputs.items()}
        full = {name: np.ones_like(array) for name, array in empty.items()}
        self.context, self.free = (
            {n: a for n, a in zip(context.outputs, context.run(feed, list(context.outputs)),
                                  strict=True) if n in step.inputs}
            for feed in (full, empty)
        )  # fmt: skip
        self.clean = np.random.default_rng(0).standard_normal(self.shape).astype(np.float32)

    def both(self, table, **job):
        """The block of the host and that of the device."""
        blocks = np.zeros((2, *self.shape), np.float32)
        job = SamplingJob(table, self.context, sigma_data=0.5, **job)
        counts = [
            walker.sample(job, out)
            for walker, out in zip((self.host, self.device), blocks, strict=True)
        ]
        assert counts[0] == counts[1]
        assert np.isfinite(blocks).all()
        assert blocks[0].std() > 0
        return blocks


@pytest.fixture(scope="module")
def tiny():
    return Opened(TINY, 0)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("sampler", ["ddim", "heun", "ancestral"])
def test_the_shipped_piano_is_the_same_to_the_bit(number, sampler):
    piano = Opened(SHIPPED, number)
    table = table_for(sampler, 4, lambda n: karras(n, 0.15, 8.0))
    host, device = piano.both(table, free=piano.free, scale=1.5, every=2, seed=5, stage=number)
    np.testing.assert_array_equal(device, host)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("known", ["nothing", "cells", "context"])
def test_every_sampler_is_the_same_to_the_bit(tiny, sampler, scale, known):
    half = tiny.clean[:, : tiny.shape[1] // 2]
    replace = {
        "nothing": None,
        "cells": Replace(tiny.clean, mask=tiny.clean > 1),
        "context": Replace(half, start=3, overlap=4),
    }[known]
    host, device = tiny.both(
        table_for(sampler, 7, "karras"), free=tiny.free, scale=scale, every=3, known=replace,
        temperature=0.7, block=9,
    )  # fmt: skip
    np.testing.assert_array_equal(device, host)


@given(
    sampler=st.sampled_from(sorted(SAMPLERS)),
    steps=st.integers(2, 12),
    schedule=st.sampled_from(["karras", "ddpm"]),
    scale=st.sampled_from([0.0, 1.0, 3.0]),
    every=st.integers(1, 4),
    seed=st.integers(),
)
@settings(max_examples=30)
def test_one_walker_serves_any_sequence_of_jobs(tiny, sampler, steps, schedule, scale, every, seed):
    host, device = tiny.both(
        table_for(sampler, steps, schedule), free=tiny.free, scale=scale, every=every, seed=seed
    )
    np.testing.assert_array_equal(device, host)


def test_values_that_are_no_numbers_do_not_outlive_their_block(tiny):
    table = table_for("dpmpp_2m", 5, "karras")
    broken = {name: np.full_like(array, np.nan) for name, array in tiny.context.items()}
    out = np.zeros(tiny.shape, np.float32)
    job = SamplingJob(table, broken, free=tiny.free, scale=2.0)
    tiny.device.sample(job, out)
    assert np.isnan(out).any()
    host, device = tiny.both(table)
    np.testing.assert_array_equal(device, host)


def test_every_row_is_announced_when_it_is_done(tiny):
    done = []
    tiny.device.sample(
        SamplingJob(table_for("ddim", 3, "karras"), tiny.context,
                    on_row=lambda *row: done.append(row)),
        np.zeros(tiny.shape, np.float32),
    )  # fmt: skip
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_a_missing_tensor_and_a_table_that_is_too_long_are_refused(tiny):
    out = np.zeros(tiny.shape, np.float32)
    with pytest.raises(PackError, match=r"step\.onnx: the graph fails \(no input"):
        tiny.device.sample(SamplingJob(table_for("ddim", 3, "karras"), {}), out)
    long = np.ones(MAX_STEPS + 1)
    table = Table(long, long, long, long, 0 * long, 0 * long, 0 * long)
    with pytest.raises(ConfigError, match="Invalid table of 1001 rows: choose up to 1000"):
        tiny.device.sample(SamplingJob(table, tiny.context), out)
