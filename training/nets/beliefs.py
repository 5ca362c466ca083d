"""A network's beliefs of the cells of a beat grid, and Bayes' rule for a noisy cell.

A cell is one of two things: no onset, which is exactly (-1, 0, 0), or an onset whose velocity and
length are drawn around the believed ones and whose place is one of four classes. So the posterior
of a noisy cell is exact, x0 is its mean, and the network never has to carry the noisy block
through its width. This is score interpolation (Dieleman et al. 2022, section 2.2) with an
explicit likelihood. The loss is the cross entropy of the posterior.

Places are classes, not a number with a deviation: the data lie exactly on the grid, and a soft
place scatters notes by 10 to 20 ms around it.

Noisy cells are [..., 3, 88], `sigma` [..., 1, 1 or 88], others [..., 88] or [..., 4, 88].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from training.data.cells import KEYS, LENGTH, ONSET, PLACE, PLACE_VALUES

VELOCITY_SPREAD = 0.15  # assumed deviation of an onset's velocity from the network's
LENGTH_SPREAD = 0.25
OUTPUTS = 3 + len(PLACE_VALUES)  # onset, velocity, length, logits of the places
_BASE_ODDS = -5.0  # of an onset where nothing is known
_BASE_PLACES = (-4.0, -4.0, 0.0, -4.0)


@dataclass(frozen=True)
class Beliefs:
    """Log odds of an onset, the velocity and length that it would have, logits of its place."""

    onset: Tensor
    velocity: Tensor
    length: Tensor
    places: Tensor

    @classmethod
    def split(cls, output: Tensor) -> Beliefs:
        """From a network's output [..., 7, 88]."""
        return cls(output[..., 0, :], output[..., 1, :], output[..., 2, :], output[..., 3:, :])


def initial_bias() -> Tensor:
    """The output of a network without knowledge, [7, 88]."""
    column = torch.tensor([_BASE_ODDS, 1.0, 0.0, *_BASE_PLACES])
    return column[:, None].repeat(1, KEYS)


def _gaussian(x: Tensor, mean: Tensor | float, variance: Tensor) -> Tensor:
    return -0.5 * ((x - mean) ** 2 / variance + variance.log())


def posterior(beliefs: Beliefs, x: Tensor, sigma: Tensor) -> Beliefs:
    """Beliefs with the noisy cells counted in; the places are log probabilities."""
    u, place, length = x[..., ONSET, :], x[..., PLACE, :], x[..., LENGTH, :]
    s2 = sigma[..., 0, :] ** 2
    vs, ls = VELOCITY_SPREAD**2, LENGTH_SPREAD**2
    values = torch.tensor(PLACE_VALUES, device=x.device)[:, None]
    far = (place[..., None, :] - values) ** 2 / (2 * s2[..., None, :])
    joint = functional.log_softmax(beliefs.places, dim=-2) - far
    total = torch.logsumexp(joint, dim=-2)
    evidence = (
        _gaussian(u, beliefs.velocity, s2 + vs)
        - _gaussian(u, -1.0, s2)
        + total
        + place**2 / (2 * s2)
        + _gaussian(length, beliefs.length, s2 + ls)
        - _gaussian(length, 0.0, s2)
    )
    return Beliefs(
        beliefs.onset + evidence,
        (beliefs.velocity * s2 + u * vs) / (s2 + vs),
        (beliefs.length * s2 + length * ls) / (s2 + ls),
        joint - total[..., None, :],
    )


def unseen(beliefs: Beliefs) -> Beliefs:
    """The posterior of unseen cells: the beliefs, with places as log probabilities."""
    return replace(beliefs, places=functional.log_softmax(beliefs.places, dim=-2))


def mean(found: Beliefs) -> Tensor:
    """x0 [..., 3, 88] of a posterior."""
    w = torch.sigmoid(found.onset)
    values = torch.tensor(PLACE_VALUES, device=w.device)[:, None]
    place = (found.places.exp() * values).sum(-2)
    return torch.stack([w * found.velocity - (1 - w), w * place, w * found.length], dim=-2)


def cross_entropy(
    found: Beliefs, beliefs: Beliefs, clean: Tensor, known: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Nats of each token: onsets; their places; their velocities and lengths. [batch, tokens] each.

    `known` [batch, tokens, 88] marks cells that do not count.
    """
    u, place, length = clean[..., ONSET, :], clean[..., PLACE, :], clean[..., LENGTH, :]
    counted = torch.ones_like(u) if known is None else 1 - known
    on = (u > 0).float()
    onset = functional.binary_cross_entropy_with_logits(found.onset, on, reduction="none")
    index = (place.round().long() - round(PLACE_VALUES[0]))[..., None, :]
    of_place = -torch.take_along_dim(found.places, index, dim=-2)[..., 0, :]
    off = (beliefs.velocity - u) ** 2 / (2 * VELOCITY_SPREAD**2)
    off = off + (beliefs.length - length) ** 2 / (2 * LENGTH_SPREAD**2)
    on = on * counted
    return (onset * counted).sum(-1), (on * of_place).sum(-1), (on * off).sum(-1)
