"""Policies: state -> one Q-value for every target. The best allowed target is the recommendation.

Both kinds speak the same unit, the reward of `kitwai.sim.simulator`: minus the worker-seconds as a
share of N x T, minus the penalty of a missed limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kitwai.core.estimate import Floats
from kitwai.core.state import TARGETS, State, encode

MISS_PENALTY = 2.0
"""Cost of a missed limit, in shares of N x T worker-seconds: more than any cluster can save."""

PREDICTION_ERROR = 0.5
"""Standard deviation of a predicted time left, as a share of it: later jobs are not foreseen."""

PRIOR = {"miss_penalty": MISS_PENALTY, "prediction_error": PREDICTION_ERROR}
"""What `predicted_return` depends on: a network corrects the one it was trained with, no other."""


class Policy(Protocol):
    """What decides. ``version`` names the checkpoint, None for a formula."""

    name: str
    version: str | None
    max_targets: int | None

    def q_values(self, state: State) -> Floats:
        """[B, W] Q-values for the targets 1..W, not masked; higher is better."""
        ...


class AnalyticPolicy:
    """The fewest workers whose predicted finish keeps ``margin`` of the limit, else the fastest.

    PEERS' baseline B10 on what Spark shows while it runs. It needs no checkpoint, knows any N, and
    is what Kitwai falls back to.
    """

    name = "analytic"
    version: str | None = None
    max_targets: int | None = None

    def __init__(self, margin: float = 0.9) -> None:
        """:param margin: share of the limit by which the predicted finish must come."""
        self.margin = margin

    def q_values(self, state: State) -> Floats:
        """Minus the predicted cost; where the limit is missed, minus penalty and lateness."""
        targets = np.arange(1.0, state.finish_s.shape[1] + 1.0)
        limit = state.limit_s[:, None]
        scale = state.max_workers[:, None] * limit
        cost = targets[None, :] * (state.finish_s - state.elapsed_s[:, None]) / scale
        late = state.finish_s > self.margin * limit
        lateness = np.maximum(state.finish_s / limit - self.margin, 0.0)
        # Where all are late the earliest end must win: lateness outweighs any cost.
        return np.asarray(
            np.where(late, -MISS_PENALTY * (1.0 + 10.0 * lateness) - 1e-3 * cost, -cost),
            dtype=np.float64,
        )


def predicted_return(state: State) -> Floats:
    """[B, W] what each target is worth by the predicted finish, if it were held to the end.

    Minus the predicted cost, minus the penalty and the lateness of a missed limit. The prediction
    is taken to be off by `PREDICTION_ERROR`, which makes the chance of a miss a logistic function.
    """
    targets = np.arange(1.0, state.finish_s.shape[1] + 1.0)
    limit = state.limit_s[:, None]
    to_run = state.finish_s - state.elapsed_s[:, None]
    cost = targets * to_run / (state.max_workers[:, None] * limit)
    over = (state.finish_s - limit) / (PREDICTION_ERROR * to_run + 1e-3 * limit)
    # A logistic distribution of standard deviation 1 has the scale sqrt(3) / pi.
    miss = 1.0 / (1.0 + np.exp(-np.clip(over * np.pi / np.sqrt(3.0), -50.0, 50.0)))
    lateness = np.clip(state.finish_s / limit - 1.0, 0.0, 3.0)
    return np.asarray(-np.minimum(cost, 3.0) - MISS_PENALTY * (miss + lateness), dtype=np.float64)


class NetworkPolicy:
    """A trained Q-network: `predicted_return` plus what the network has learnt it to be wrong by.

    The network is a NumPy forward pass: dense layers, ReLU between them.
    """

    name = "dqn"
    max_targets: int | None = TARGETS

    def __init__(
        self,
        version: str,
        layers: Sequence[tuple[np.ndarray, np.ndarray]],
        mean: np.ndarray,
        scale: np.ndarray,
    ) -> None:
        """
        :param version: the checkpoint's version.
        :param layers: (kernel [in, out], bias [out]) of each dense layer, first to last.
        :param mean: [F] subtracted from the features; ``scale``: [F] they are divided by.
        """
        self.version: str | None = version
        self._layers = [(np.asarray(k), np.asarray(b)) for k, b in layers]
        self._mean = np.asarray(mean)
        self._scale = np.asarray(scale)

    def q_values(self, state: State) -> Floats:
        """[B, 10] Q-values of the targets 1..10."""
        return predicted_return(state)[:, :TARGETS] + self.correct(encode(state))

    def correct(self, features: Floats) -> Floats:
        """The network alone: features [B, F] -> corrections [B, 10]."""
        hidden = (features - self._mean) / self._scale
        for index, (kernel, bias) in enumerate(self._layers):
            hidden = hidden @ kernel + bias
            if index < len(self._layers) - 1:
                hidden = np.maximum(hidden, 0.0)
        return np.asarray(hidden, dtype=np.float64)
