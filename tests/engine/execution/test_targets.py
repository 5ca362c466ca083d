"""Every target of this ONNX Runtime against the CPU; the others are skipped with a reason.

docs/install.md says how to run this with another ONNX Runtime, in an environment of its own.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tiny_pack import TINY

from engine.errors import ConfigError, PackError
from engine.execution import targets
from engine.execution.device_walker import GRAPHS
from engine.execution.engine_cache import engine_folder, graphics_card
from engine.execution.executor import SamplingJob, make_executor
from engine.execution.host_walker import HostWalker
from engine.execution.onnx_executor import OnnxExecutor
from engine.execution.targets import TARGETS, Target, checked_target, offered_targets
from engine.onnx_runtime import CannotRun, Provider, library, open_session
from engine.packs.read import read_manifest
from engine.sampling.samplers import table_for
from engine.sampling.schedules import make_schedule

SHIPPED = Path(__file__).parents[3] / "packs" / "piano"
PARITY = 5e-3  # largest difference of a block after all its steps, over the block's deviation

AZURE = Provider("AzureExecutionProvider")
azure = pytest.mark.skipif(
    "AzureExecutionProvider" not in library().get_available_providers(),
    reason="this ONNX Runtime has no AzureExecutionProvider",
)


def executor_on(target):
    return OnnxExecutor(target, 1, flush_denormals=False, announce=lambda _: None)


def walked(executor, stage, manifest, device):
    """A block of a stage with nothing behind it and all controls free."""
    context = executor.open(manifest, stage.graphs["context"])
    step = executor.open(manifest, stage.graphs["step"])
    shape = step.inputs["x"].shape[-2:]
    feed = {name: np.zeros(info.shape, np.float32) for name, info in context.inputs.items()}
    found = dict(zip(context.outputs, context.run(feed, list(context.outputs)), strict=True))
    walker = executor.device_walker(step, shape) if device else HostWalker(step, shape)
    own = stage.sampling
    table = table_for(
        own.sampler, own.steps.default,
        lambda n: make_schedule(own.schedule, n, **own.schedule_options),
    )  # fmt: skip
    job = SamplingJob(table, {n: a for n, a in found.items() if n in step.inputs}, seed=3)
    out = np.zeros(shape, np.float32)
    assert walker.sample(job, out) == own.steps.default
    return out


@pytest.mark.parametrize("device", [False, True], ids=["host walk", "device walk"])
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "cpu"])
def test_the_shipped_piano_sounds_the_same_on_every_target(name, device):
    if TARGETS[name] not in offered_targets():
        pytest.skip(f"this ONNX Runtime has no {TARGETS[name].providers[0].name}")
    manifest = read_manifest(SHIPPED)
    on_target, on_cpu = executor_on(checked_target(name)), executor_on(checked_target("cpu"))
    for stage in manifest.stages:
        if stage.kind != "diffusion":
            continue
        expected = walked(on_cpu, stage, manifest, False)
        off = np.abs(walked(on_target, stage, manifest, device) - expected).max()
        assert off < PARITY * expected.std(), stage.output


def test_a_target_that_does_not_exist_or_is_not_offered_is_refused_in_one_line(monkeypatch):
    with pytest.raises(ConfigError, match="Unknown target 'gpu': choose one of cpu, cuda, tens"):
        make_executor("gpu")
    monkeypatch.setattr(targets, "offered_targets", lambda: (TARGETS["cpu"],))
    with pytest.raises(ConfigError) as caught:
        make_executor("cuda")
    assert str(caught.value) == (
        "Target 'cuda' needs an ONNX Runtime with CUDAExecutionProvider: install onnxruntime-gpu, "
        "or choose one of cpu"
    )


def test_the_cpu_is_always_offered():
    assert TARGETS["cpu"] in offered_targets()
    assert make_executor().target == "cpu"


@azure
def test_a_graph_that_would_run_on_the_cpu_in_silence_is_refused():
    """ONNX Runtime has a provider that can run none of the nodes; by itself it says nothing."""
    graph = (GRAPHS / "residual.onnx").read_bytes()
    with pytest.raises(CannotRun, match="AzureExecutionProvider cannot run all of it"):
        open_session("residual", graph, providers=(AZURE,), sizes={"rows": 1, "frames": 2})


@azure
def test_a_step_graph_must_run_on_its_target_and_a_context_graph_may_run_on_the_cpu():
    nowhere = Target("azure", "runs nothing", "onnxruntime", (AZURE,))
    executor, manifest = executor_on(nowhere), read_manifest(TINY)
    stage = manifest.stages[0]
    context = executor.open(manifest, stage.graphs["context"])
    feed = {name: np.zeros(info.shape, np.float32) for name, info in context.inputs.items()}
    assert len(context.run(feed, list(context.outputs))) == len(context.outputs)
    (said,) = executor.notices()
    assert said.endswith(
        "context.onnx: target 'azure' cannot run all of it; it runs on the processor"
    )
    step = executor.open(manifest, stage.graphs["step"])
    with pytest.raises(PackError, match=r"step\.onnx: target 'azure' cannot run all of it; choose"):
        executor.walker(step, step.inputs["x"].shape[-2:])


def test_only_what_runs_on_cuda_as_a_whole_is_captured():
    """TensorRT's provider captures one graph for a session; a step is run with several bindings."""
    captured = []
    for target in TARGETS.values():
        for providers in (target.providers, target.helpers):
            assert not any("trt_cuda_graph_enable" in p.options for p in providers)
            if any(p.options.get("enable_cuda_graph") == "1" for p in providers):
                assert [p.name for p in providers] == ["CUDAExecutionProvider"]
                captured.append(target.name)
    assert captured == ["cuda", "tensorrt"]


class RecordingSession:
    """A session that keeps which CUDA graph each run was to be captured in."""

    def __init__(self, session):
        self._session, self.captures = session, []

    def __getattr__(self, name):
        return getattr(self._session, name)

    def run(self, outputs, feed, options):
        self.captures.append(options.get_run_config_entry("gpu_graph_id"))
        return self._session.run(outputs, feed, options)

    def run_with_iobinding(self, binding, options):
        self.captures.append(options.get_run_config_entry("gpu_graph_id"))
        return self._session.run_with_iobinding(binding, options)


def test_a_graph_is_captured_once_for_each_set_of_addresses_and_never_with_arrays_of_the_host():
    executor, manifest = executor_on(checked_target("cpu")), read_manifest(TINY)
    stage = manifest.stages[0]
    step, context = (executor.open(manifest, stage.graphs[k]) for k in ("step", "context"))
    step.session, context.session = (
        RecordingSession(step.session),
        RecordingSession(context.session),
    )
    feed = {name: np.zeros(info.shape, np.float32) for name, info in context.inputs.items()}
    found = dict(zip(context.outputs, context.run(feed, list(context.outputs)), strict=True))
    assert context.session.captures == ["-1"]
    shape = step.inputs["x"].shape[-2:]
    values = {n: a for n, a in found.items() if n in step.inputs}
    job = SamplingJob(table_for("heun", 5, "karras"), values, free=values, scale=2.0)
    executor.device_walker(step, shape).sample(job, np.zeros(shape, np.float32))
    assert set(step.session.captures) == {"1", "2", "3", "4"}  # 0 is ONNX Runtime's own


def test_a_run_that_fails_does_not_go_on_on_the_cpu_in_silence():
    """The Python package opens a session again on the CPU, by default, when a provider fails."""
    session = open_session(
        "residual", (GRAPHS / "residual.onnx").read_bytes(), sizes={"rows": 1, "frames": 2}
    )
    assert not session._enable_fallback


def test_engines_are_kept_by_pack_card_driver_and_version(tmp_path, monkeypatch):
    tiny, piano = read_manifest(TINY), read_manifest(SHIPPED)
    first = engine_folder(tiny, "NVIDIA H100, 550.54", tmp_path)
    assert first.is_dir()
    assert first == engine_folder(tiny, "NVIDIA H100, 550.54", tmp_path)
    others = {
        engine_folder(piano, "NVIDIA H100, 550.54", tmp_path),
        engine_folder(tiny, "NVIDIA H100, 560.10", tmp_path),
        engine_folder(tiny, "../../NVIDIA A100, 550.54", tmp_path),
    }
    monkeypatch.setattr("engine.execution.engine_cache.library", lambda: FakeRuntime)
    others.add(engine_folder(tiny, "NVIDIA H100, 550.54", tmp_path))
    assert len(others | {first}) == 5
    assert {folder.parent for folder in others} == {tmp_path}


class FakeRuntime:
    __version__ = "9.9.9"


def test_the_graphics_card_is_named_with_its_driver_or_unknown():
    assert graphics_card(lambda _: "NVIDIA H100 80GB HBM3, 550.54.15\n") == (
        "NVIDIA H100 80GB HBM3, 550.54.15"
    )

    def missing(_):
        raise FileNotFoundError

    def hanging(command):
        raise subprocess.TimeoutExpired(command, 20)

    assert graphics_card(missing) == graphics_card(hanging) == "unknown"


def test_building_an_engine_is_announced(monkeypatch, tmp_path):
    announced, given = [], {}

    def opened(manifest, name, **options):
        given.update(options)
        raise PackError("stop here")

    monkeypatch.setattr("engine.execution.onnx_executor.open_graph", opened)
    monkeypatch.setattr("engine.execution.onnx_executor.graphics_card", lambda: "H100, 550")
    monkeypatch.setattr(
        "engine.execution.onnx_executor.engine_folder", lambda manifest, card: tmp_path / card
    )
    executor = OnnxExecutor(
        TARGETS["tensorrt"], 1, flush_denormals=False, announce=announced.append
    )
    with pytest.raises(PackError, match="stop here"):
        executor.open(read_manifest(TINY), "step.onnx")
    assert announced == ["build step.onnx"]
    first, second = given["providers"]
    assert (first.name, second.name) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert first.options["trt_engine_cache_path"] == str(tmp_path / "H100, 550")
    assert first.options["trt_timing_cache_path"] == str(tmp_path / "H100, 550")
