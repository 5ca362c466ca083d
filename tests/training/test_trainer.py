"""The trainer: its schedule, micro-batches and checkpoints, and its command line."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from small_runs import Line, apart, fit, weights  # noqa: E402

from training import train  # noqa: E402
from training.recipes import NAMES, find_recipe  # noqa: E402
from training.run import Run, Schedule  # noqa: E402

pytestmark = pytest.mark.torch


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


def test_rate_and_averaged_weights_follow_the_number_of_samples(tmp_path):
    schedule = Schedule(rate=1.0, warm_up=40, decay_after=0.5, ema=100)
    run = Run(Line(), Line().network(), tmp_path, 1000, schedule)
    run.seconds = 1e9
    assert run.learning_rate() == pytest.approx(8 / 40)
    run.samples = 40
    assert run.learning_rate() == pytest.approx(1.0)
    assert run.ema_decay() == pytest.approx(1 - 8 / (8 + 40 / 9))
    run.samples = 750
    assert run.learning_rate() == pytest.approx(0.5)
    run.samples = 5000
    assert run.ema_decay() == pytest.approx(1 - 8 / 100)
    assert run.learning_rate() == pytest.approx(0.0)


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
