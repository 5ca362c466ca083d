"""Several processes share a run: every recipe, on the CPU, as torchrun starts them."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("mido", reason="the training extra is not installed")

from small_runs import apart, fit, fresh, task_of, weights  # noqa: E402

from training.recipes import NAMES  # noqa: E402
from training.run import Run, Schedule, Task, on_one_thread  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
COUNT = 2


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


def gradients(task: Task, folder: Path, micro_batch: int | None, bfloat16: bool) -> dict:
    """The gradients of one step of a run, by the names of the parameters."""
    on_one_thread()
    schedule = Schedule(clip=float("inf"), bfloat16=bfloat16)
    run = Run(task, fresh(task), folder, 1000, schedule, micro_batch=micro_batch)
    run.step()
    assert run.samples == task.size
    return {k: p.grad for k, p in run.model.named_parameters() if p.grad is not None}


def share(folder: Path, data: dict[str, str]) -> None:
    """What each of the processes does."""
    torch.distributed.init_process_group("gloo")
    fit(folder / "line", None)
    found = {}
    for recipe, path in data.items():
        for bfloat16 in (False, True):
            name = f"{recipe}-{bfloat16}"
            found[name] = gradients(task_of(recipe, Path(path)), folder / name, None, bfloat16)
    torch.save(found, folder / f"rank{torch.distributed.get_rank()}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def shared(datasets, tmp_path_factory):
    """The folder in which two processes have run everything once."""
    folder = tmp_path_factory.mktemp("shared")
    data = {recipe: str(datasets(recipe)) for recipe in NAMES}
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from test_processes import share\n"
        f"share(Path({str(folder)!r}), {data!r})\n"
    )
    done = in_processes(COUNT, "-c", program)
    assert done.returncode == 0, done.stdout
    return folder


def test_two_processes_take_the_steps_of_one(shared, tmp_path):
    """Also where a batch uses a part of the network only, or no batch uses it."""
    fit(tmp_path, micro_batch=4)
    assert apart(weights(tmp_path), weights(shared / "line")) < 1e-6
    rows = []
    for folder in (tmp_path, shared / "line"):
        (row,) = csv.DictReader((folder / "log.csv").read_text().splitlines())
        rows.append(row)
    assert float(rows[0]["loss"]) == pytest.approx(float(rows[1]["loss"]), abs=2e-5)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("recipe", NAMES)
def test_every_recipe_has_the_same_gradients_in_two_processes(
    shared, datasets, tmp_path, recipe, bfloat16
):
    task = task_of(recipe, datasets(recipe))
    alone = gradients(task, tmp_path, task.size // COUNT, bfloat16)
    ranks = [torch.load(shared / f"rank{i}.pt", weights_only=True) for i in range(COUNT)]
    assert len(alone) > 10
    for rank in ranks:
        other = rank[f"{recipe}-{bfloat16}"]
        for name, own in alone.items():
            bound = 1e-5 * float(own.abs().max())
            torch.testing.assert_close(other[name], own, rtol=1e-3, atol=bound)
