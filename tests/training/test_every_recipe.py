"""What holds for every recipe: it learns, computes in bfloat16, and resumes where it stopped."""

import csv
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("mido", reason="the training extra is not installed")

from small_runs import fresh, task_of  # noqa: E402

from training import train  # noqa: E402
from training.recipes import NAMES  # noqa: E402
from training.run import Run, Schedule, read_checkpoint  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(params=NAMES)
def recipe(request):
    return request.param


@pytest.fixture
def task(recipe, datasets):
    return task_of(recipe, datasets(recipe))


def test_a_batch_in_bfloat16_has_nearly_the_same_loss_and_finite_gradients(task):
    model = fresh(task)
    batch = task.batch(np.random.default_rng(0), task.size)
    losses = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = task.loss(model, batch, torch.Generator().manual_seed(0))
        assert loss.dtype == torch.float32
        model.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]


def test_the_command_trains_and_the_loss_falls_on_other_batches(recipe, datasets, tmp_path):
    task = task_of(recipe, datasets(recipe))
    batch = task.batch(np.random.default_rng(1), 2 * task.size)
    torch.manual_seed(1)
    before = task.network()
    samples = 30 * task.size
    train.main(
        [recipe, "--preset", f"{recipe}-tiny", "--data", str(datasets(recipe)),
         "--out", str(tmp_path), "--samples", str(samples), "--device", "cpu"]
    )  # fmt: skip
    state = read_checkpoint(tmp_path)
    assert state is not None
    assert (state["samples"], state["steps"]) == (samples, 30)
    assert json.loads(state["network"]) == json.loads(task.facts()["network"])
    after = task.network()
    after.load_state_dict(state["model"])

    def loss(model):
        with torch.no_grad():
            return float(task.loss(model, batch, torch.Generator().manual_seed(2)))

    assert loss(after) < 0.9 * loss(before)
    (row,) = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    assert int(row["samples"]) == samples
    assert all(np.isfinite(float(value)) for value in row.values())


def test_a_resumed_run_takes_the_steps_of_one_that_is_not_interrupted(task, tmp_path):
    def run(name):
        torch.manual_seed(0)
        return Run(task, task.network(), tmp_path / name, 1000, Schedule(warm_up=20, ema=400))

    whole = run("whole")
    losses = [whole.step() for _ in range(4)]
    first = run("legs")
    before = [first.step() for _ in range(2)]
    first.save()
    second = run("legs")
    assert (second.samples, second.steps) == (2 * task.size, 2)
    assert before + [second.step() for _ in range(2)] == losses
    for part, other in ((whole.ema, second.ema), (whole.model, second.model)):
        for a, b in zip(part.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)
