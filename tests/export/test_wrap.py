"""Whatever a network was trained to return, its graphs return x0."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")

from engine.sampling.parameterisation import PARAMETERISATIONS, edm_coefficients  # noqa: E402
from export.wrap import ContextGraph, Denoiser, StepGraph, rounded  # noqa: E402

pytestmark = pytest.mark.torch
SPREAD = 0.7


class Perfect(torch.nn.Module):
    """The exact network for frames ~ N(mean, SPREAD^2), in one parameterisation.

    It sees the scaled block and the level, as a trained network does.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.row = PARAMETERISATIONS[name]
        self.dtype = torch.float64

    def context(self, past: torch.Tensor, shift: torch.Tensor) -> dict[str, torch.Tensor]:
        """The mean, from two inputs."""
        return {"mean": past.mean(-1, keepdim=True) + shift, "unused": shift}

    def forward(
        self, x: torch.Tensor, level: torch.Tensor, context: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """The expected output."""
        assert level.shape == (len(x),)
        level = level[:, None, None]
        if self.row.name in ("v", "eps"):
            alpha, sigma = (level * math.pi / 2).cos(), (level * math.pi / 2).sin()
        elif self.row.name == "flow":
            alpha, sigma = 1 - level, level
        else:
            sigma = (4 * level).exp() if self.row.name == "edm" else level
            alpha = torch.ones_like(sigma)
        options = {}
        if self.row.preconditioned:
            x = x / edm_coefficients(sigma, SPREAD).in_
            options = {"sigma_data": SPREAD}
        total = alpha**2 * SPREAD**2 + sigma**2
        mean = context["mean"]
        x0 = mean + alpha * SPREAD**2 * (x - alpha * mean) / total
        eps = sigma * (x - alpha * mean) / total
        return self.row.target(x0, eps, alpha, sigma, **options)


def graphs(name: str) -> tuple[ContextGraph, StepGraph, dict[str, torch.Tensor]]:
    inputs = {
        "past": torch.randn(1, 3, 5, dtype=torch.float64),
        "shift": torch.tensor([[[0.3]]], dtype=torch.float64),
    }
    denoiser = Denoiser(Perfect(name), name, SPREAD)
    context = ContextGraph(denoiser.net, inputs)
    return context, StepGraph(denoiser, context.names), inputs


@pytest.mark.parametrize("name", sorted(PARAMETERISATIONS))
@pytest.mark.parametrize("ratio", [0.01, 0.7, 30.0])
@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_the_step_graph_returns_x0_at_any_alpha_and_sigma(name, ratio, scale):
    torch.manual_seed(0)
    context, step, inputs = graphs(name)
    assert context.names == ["mean", "unused"]
    mean = inputs["past"].mean(-1, keepdim=True) + 0.3
    y = mean + SPREAD * torch.randn(1, 3, 4, dtype=torch.float64)
    y = y + ratio * torch.randn(1, 3, 4, dtype=torch.float64)
    alpha, sigma = torch.tensor([[scale], [scale * ratio]], dtype=torch.float64)
    x0 = step(scale * y, alpha, sigma, *context(*inputs.values()))
    expected = mean + SPREAD**2 * (y - mean) / (SPREAD**2 + ratio**2)
    torch.testing.assert_close(x0, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(PARAMETERISATIONS))
def test_levels_beyond_training_are_those_at_its_bounds(name):
    denoiser = Denoiser(Perfect(name), name, SPREAD)
    step = StepGraph(denoiser, ["mean"], (0.1, 10.0))
    x, mean = torch.randn(1, 3, 4, dtype=torch.float64), torch.zeros(1, 3, 1, dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    torch.testing.assert_close(step(x, one, 0.01 * one, mean), step(x, one, 0.1 * one, mean))
    torch.testing.assert_close(step(x, 0.001 * one, one, mean), step(x, 0.1 * one, one, mean))


def test_training_and_playing_use_the_same_network():
    _, step, inputs = graphs("edm")
    x, sigma = torch.randn(1, 3, 4, dtype=torch.float64), torch.tensor([0.4], dtype=torch.float64)
    trained = step.denoiser(x, sigma, *inputs.values())
    context = step.denoiser.net.context(*inputs.values())
    played = step(x, torch.ones_like(sigma), sigma, *(context[n] for n in step.names))
    assert torch.equal(trained, played)


def test_rounded_weights_fit_half_precision():
    layer = torch.nn.Linear(5, 4)
    layer.weight.data[0, 0] = 1.0001
    assert rounded(layer) is layer
    assert layer.weight[0, 0] == 1
    assert torch.equal(layer.weight.half().float(), layer.weight)
    assert not layer.weight.requires_grad
    assert not layer.training
