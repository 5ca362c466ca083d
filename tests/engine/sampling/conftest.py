"""A data distribution for which everything about diffusion is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from function_graph import sampled


@dataclass
class Gaussian:
    """Independent data of mean mu and standard deviation s."""

    mu: float = 0.3
    s: float = 2.0

    def denoise(self, x, alpha, sigma):
        """E[x0 | x]: what a perfect network answers."""
        variance = (alpha * self.s) ** 2 + sigma**2
        return self.mu + alpha * self.s**2 / variance * (x - alpha * self.mu)

    def ode(self, x, alpha, sigma, alpha_end=1.0, sigma_end=0.0):
        """Where the probability flow ODE carries x: its z-score is conserved."""
        z = (x - alpha * self.mu) / np.hypot(alpha * self.s, sigma)
        return alpha_end * self.mu + z * np.hypot(alpha_end * self.s, sigma_end)

    def error(self, table, count=64):
        """RMS distance of the sampler's end from the ODE's exact end, in float64."""
        starts = []

        def denoise(x, alpha, sigma):
            if not starts:
                starts.append(x.copy())
            return self.denoise(x, alpha, sigma)

        out = sampled(denoise, table, (count,), "float64")
        level = (table.alpha[0], table.sigma[0], table.alpha_end, table.sigma_end)
        return float(np.sqrt(np.mean((out - self.ode(starts[0], *level)) ** 2)))


@pytest.fixture
def gaussian():
    return Gaussian()
