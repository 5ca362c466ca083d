"""The trainer: every recipe trains by one command, in bfloat16, and on several processes alike."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from training import train  # noqa: E402
from training.recipes import NAMES, find_recipe  # noqa: E402
from training.run import Run, Schedule, Task, on_one_thread, read_checkpoint  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]


class Line(Task):
    """Fits y = 2 x + noise. Some batches use a part of the network, and none of them another."""

    size = 8

    def network(self):
        """Two layers."""
        net = torch.nn.ModuleDict(
            {name: torch.nn.Linear(3, 3) for name in ("first", "second", "sometimes", "never")}
        )
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.3, generator=torch.Generator().manual_seed(p.numel()))
        return net

    def batch(self, rng, size):
        """x [size, 3]."""
        return {"x": torch.from_numpy(rng.standard_normal((size, 3)).astype(np.float32))}

    def loss(self, model, batch, noise, progress=1.0):
        """Mean squared error."""
        x = batch["x"]
        y = model["second"](torch.tanh(model["first"](x)))
        if float(x[0, 0]) > 0:
            y = y + model["sometimes"](x)
        return (y - 2 * x + 0.1 * torch.randn(x.shape, generator=noise)).square().mean()

    def validate(self, ema):
        """Nothing to measure but the weights."""
        return {"weights": float(sum(p.sum() for p in ema.parameters()))}

    def facts(self):
        """Nothing."""
        return {"preset": "line"}


def fit(folder: Path, micro_batch: int | None, samples: int = 96, stop: int = 96) -> Run:
    """Train to the end, or `stop` of the samples, and save."""
    on_one_thread()
    task = Line()
    schedule = Schedule(rate=1e-2, warm_up=16, ema=40)
    run = Run(task, task.network(), folder, samples, schedule, micro_batch=micro_batch)
    if stop == samples:
        run.go(10.0)
        return run
    while run.samples < stop:
        run.step()
    run.save()
    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(folder)
    assert state is not None
    return {f"{part}/{k}": v for part in ("model", "ema") for k, v in state[part].items()}


def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[k] - b[k]).abs().max()) for k in a)


def in_processes(count: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a group of processes, as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-P", *command],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in range(count)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=100)[0] for process in started]
    status = max(process.returncode for process in started)
    return subprocess.CompletedProcess(command, status, "\n".join(outputs))


def test_two_processes_take_the_steps_of_one(tmp_path):
    """Also where a batch uses a part of the network only, or no batch uses it."""
    fit(tmp_path / "one", micro_batch=4)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "from test_trainer import fit\n"
        f"fit(Path({str(tmp_path / 'two')!r}), None)\n"
        "dist.destroy_process_group()\n"
    )
    done = in_processes(2, str(program))
    assert done.returncode == 0, done.stdout
    assert apart(weights(tmp_path / "one"), weights(tmp_path / "two")) < 1e-6
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    assert len(logs[1]) == 2, "one process writes the log"
    rows = [dict(zip(log[0].split(","), log[1].split(","), strict=True)) for log in logs]
    assert float(rows[0]["loss"]) == pytest.approx(float(rows[1]["loss"]), abs=2e-5)


def test_micro_batches_have_the_gradient_of_the_whole_batch(tmp_path):
    run = Run(Line(), Line().network(), tmp_path, 96, micro_batch=2)
    run.step()
    summed = {k: p.grad for k, p in run.model.named_parameters()}
    whole = Line().network()
    losses = [
        Line().loss(
            whole,
            Line().batch(np.random.default_rng(seed), 2),
            torch.Generator().manual_seed(seed),
        )
        for seed in (0, 2, 4, 6)
    ]
    torch.stack(losses).mean().backward()
    torch.nn.utils.clip_grad_norm_(whole.parameters(), 1.0)
    for name, p in whole.named_parameters():
        if p.grad is None:
            assert summed[name] is None
        else:
            torch.testing.assert_close(summed[name], p.grad)


@pytest.mark.parametrize("micro_batch", [3, 5, 16])
def test_micro_batches_that_do_not_divide_a_step_are_refused(tmp_path, micro_batch):
    with pytest.raises(ValueError, match=f"8 examples in micro-batches of {micro_batch}"):
        Run(Line(), Line().network(), tmp_path, 96, micro_batch=micro_batch)


def test_the_clock_only_ends_a_leg(tmp_path):
    """However the time is divided, the weights are those of a run that is not interrupted."""
    fit(tmp_path / "whole", None)
    for _ in range(13):
        run = Run(
            Line(), Line().network(), tmp_path / "legs", 96, Schedule(rate=1e-2, warm_up=16, ema=40)
        )
        run.go(10.0, hours=0)
    assert run.samples == 96
    assert apart(weights(tmp_path / "whole"), weights(tmp_path / "legs")) == 0


# --------------------------------------------------------------------------- the command


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_names_its_data_and_its_presets(name):
    recipe = find_recipe(name)
    assert recipe.data.startswith("python -m training.data.")
    assert f"{name}-tiny" in recipe.presets
    assert not next(iter(recipe.presets)).endswith("tiny"), "the first preset is the default"
    for preset in recipe.presets.values():
        assert isinstance(preset.schedule, Schedule)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_without_data_is_refused_in_one_line(name, tmp_path):
    with pytest.raises(SystemExit) as stop:
        train.main([name, "--data", str(tmp_path), "--out", str(tmp_path), "--samples", "10"])
    message = str(stop.value)
    assert message.startswith(f"train: {tmp_path}: no ")
    assert f"{find_recipe(name).data.split(' --')[0]}'." in message
    assert "\n" not in message


def test_an_unknown_preset_is_refused_with_the_choices(tmp_path):
    with pytest.raises(SystemExit, match=r"no preset 'huge'. Choose one of notes, notes-full"):
        train.main(
            ["notes", "--preset", "huge", "--data", str(tmp_path), "--out", str(tmp_path),
             "--samples", "10"]
        )  # fmt: skip


def test_help_names_the_recipes_and_their_data(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in NAMES:
        assert f"{name}: {find_recipe(name).about}" in shown


def test_old_checkpoints_without_a_recipe_are_continued(tmp_path):
    """The form that runs had before: only these names, with plain state dicts."""
    run = fit(tmp_path, None, samples=200, stop=48)
    state = {
        "model": run.model.state_dict(), "ema": run.ema.state_dict(),
        "optimiser": run.optimiser.state_dict(), "steps": 6, "samples": 48, "seconds": 1.0,
        "preset": "line", "network": json.dumps({}),
    }  # fmt: skip
    torch.save(state, tmp_path / "checkpoint.pt")
    again = Run(Line(), Line().network(), tmp_path, 200, Schedule(rate=1e-2))
    assert (again.steps, again.samples) == (6, 48)
    assert apart(dict(again.ema.state_dict()), dict(run.ema.state_dict())) == 0
