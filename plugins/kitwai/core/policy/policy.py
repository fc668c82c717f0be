"""Policies: from a state to the cost and the chance of a missed limit under every target.

All values have one unit: the cost of the whole run on the best static cluster. A missed limit has a
price in that unit. The Q-value of a target is minus its cost and minus the price times the chance.
The allowed target with the highest Q-value is the recommendation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.policy.replanning import LOGISTIC, with_replanning
from kitwai.core.policy.state import GLOBAL_FEATURES, TARGET_FEATURES, TARGETS, State, encode

PRIOR = {"prediction": "belief-9", "logistic": LOGISTIC}
"""The forecast that a network corrects. A network that corrects another forecast is refused."""

KNOWLEDGE = ("informed", "uninformed")
"""What is known of an application's family: past runs of it, or nothing."""

TRUSTED = {"informed": True, "uninformed": True}

UNINFORMED = 0.5
"""Discount on the price of a missed limit where the run's own tasks alone tell of the family.

The forecast is wide then, and most of what seems likely to miss is mended by later looks. Before
the first task has ended the price counts in full: what is lost then is seldom mended."""

FOR_GOOD = 3.0
"""Factor on the charge for a miss where a target is judged as if it were held to the end.

No later change can mend such a miss. Straggling tasks are the case in point: more workers do not
shorten the wait for a straggler."""

SWITCH = 0.015
"""Share of the run's cost that a change of the worker count must save."""

PRICES = {0.01: 2.5, 0.05: 1.3, 0.2: 0.3}
"""Price of a missed limit by stated miss probability, for policies without measured prices."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of W targets in B states.

    ``cost`` [B, W]: expected cost from now on if the target is held to the end, in costs of the
    whole run on the best static cluster. ``miss`` [B, W]: the chance that the limit is missed then.
    ``q`` [B, W]: Q-value, higher is better. ``network`` [B]: whether a trained network gave the
    values; None: the forecast gave all.
    """

    cost: Floats
    miss: Floats
    q: Floats
    network: Bools | None = None

    def best(self, state: State) -> Ints:
        """[B] the allowed target with the highest Q-value.

        Another target than the present count must be better by more than `SWITCH`.
        """
        width = self.q.shape[1]
        is_present = np.arange(1, width + 1) == state.workers[:, None]
        q = self.q + SWITCH * is_present
        allowed = np.where(state.mask[:, :width], q, -np.inf)
        return np.asarray(allowed.argmax(axis=1) + 1)


NETWORK, FORECAST = "network", "forecast"
"""What decides a target: a trained network, or the forecast alone."""


class Policy(Protocol):
    """What values targets. ``version`` names the checkpoint, None for the forecast alone.

    ``max_targets`` is the most workers that the policy knows, None for any number. ``prices`` as
    for `price_of`.
    """

    version: str | None
    max_targets: int | None
    prices: Mapping[float, float]

    def values(self, state: State) -> Values:
        """Values of the targets 1..W, not masked."""
        ...


def price_of(miss: float, prices: Mapping[float, float]) -> float:
    """The price of a missed limit at which about ``miss`` of the limits are missed.

    Between measured prices the interpolation is linear in the logarithms of both. Beyond them the
    nearest price holds.

    :param miss: stated miss probability, 0..1.
    """
    known = sorted(prices)
    logs = np.log([prices[stated] for stated in known])
    return float(np.exp(np.interp(np.log(max(miss, 1e-6)), np.log(known), logs)))


def _price(state: State) -> Floats:
    """[B] the price of a missed limit, discounted where only the run's own tasks tell of it."""
    alone = state.forecast.told & ~state.informed
    return np.where(alone, UNINFORMED * state.price, state.price)


def _held(miss: Floats, state: State) -> Values:
    """The values of targets that are held to the end.

    Lateness is charged too, as a share of the time left, at the price of a miss. Without it, an
    application that is late anyway would get no more workers.

    :param miss: [B, W] the chance that the limit is missed.
    """
    width = miss.shape[1]
    cost = state.cost_s[:, :width] / state.best_s[:, None]
    until = np.maximum(state.limit_s - state.now, 1.0)[:, None]
    late = np.clip(state.forecast.left_s[:, :width] / until - 1.0, 0.0, 3.0)
    return Values(cost, miss, -(cost + FOR_GOOD * _price(state)[:, None] * (miss + late)))


def held(state: State) -> Values:
    """The values of targets that are held to the end, by the forecast alone."""
    return _held(1.0 / (1.0 + np.exp(LOGISTIC * np.clip(state.z, -20.0, 20.0))), state)


def replanned(state: State) -> Values:
    """The values of targets by the forecast alone, if the target can be changed once more.

    The more the tasks are believed to straggle, the more the values of `held` count: a straggler
    cannot be mended by a later change (`kitwai.core.policy.replanning`).
    """
    values = held(state)
    # The square makes a mere suspicion of stragglers count little.
    straggling = (state.forecast.straggling**2)[:, None]
    q = straggling * values.q - (1.0 - straggling) * with_replanning(state, _price(state))
    return Values(values.cost, values.miss, q)


class ForecastPolicy:
    """The forecast, taken at its word: a chance-constrained controller with one later change.

    The policy needs no checkpoint and knows any N. Kitwai falls back to it. It is the baseline
    `lookahead` in closed form, with a believed scale-out curve instead of a fitted one.
    """

    version: str | None = None
    max_targets: int | None = None
    prices: Mapping[float, float] = PRICES

    def values(self, state: State) -> Values:
        """`replanned`."""
        return replanned(state)


class NetworkPolicy:
    """A trained network that corrects the forecast, and abstains where it is not trusted.

    The network corrects `held`: it has learnt how wrong the forecast is when the target will be
    changed later. Where it abstains, `replanned` gives the values.

    A decision is a NumPy forward pass. Every target goes through the same layers, with the mean
    over the allowed targets as context. A target has two outputs: the log of a factor on the
    sharpness of the forecast, and an addition to the log-odds of a miss.
    """

    max_targets: int | None = TARGETS

    def __init__(
        self,
        version: str,
        weights: Mapping[str, np.ndarray],
        *,
        prices: Mapping[float, float] = PRICES,
        trusted: Mapping[str, bool] = TRUSTED,
    ) -> None:
        """
        :param version: the checkpoint's version.
        :param weights: the arrays named in `ARRAYS`; ``prices``: as for `price_of`.
        :param trusted: by `KNOWLEDGE`, whether the network decides. It abstains where training has
            not found it better than the forecast alone.
        """
        self.version: str | None = version
        self.prices = prices
        self.trusted = {name: bool(trusted[name]) for name in KNOWLEDGE}
        self._weights = {name: np.asarray(weights[name], dtype=np.float32) for name in ARRAYS}

    def values(self, state: State) -> Values:
        """Values of the targets 1..10."""
        known, unknown = (self.trusted[name] for name in KNOWLEDGE)
        used = np.where(state.informed, known, unknown)[:, None]
        if not used.any():
            return replanned(state)
        own = corrected(state, self.correct(*encode(state), state.mask[:, :TARGETS]))
        if used.all():
            return replace(own, network=used[:, 0])
        width, formula = own.q.shape[1], replanned(state)
        # Rows are selected, not weighted: a network that abstains may give numbers not finite.
        return Values(
            np.where(used, own.cost, formula.cost[:, :width]),
            np.where(used, own.miss, formula.miss[:, :width]),
            np.where(used, own.q, formula.q[:, :width]),
            used[:, 0],
        )

    def correct(self, global_: Floats, of_target: Floats, mask: np.ndarray) -> Floats:
        """The network alone: [B, G], [B, W, K], [B, W] -> [B, W, 2]."""
        w = self._weights
        global_, of_target = global_.astype(np.float32), of_target.astype(np.float32)
        hidden = of_target @ w["target_kernel"]
        hidden += (global_ @ w["global_kernel"] + w["global_bias"])[:, None, :]
        np.maximum(hidden, 0.0, out=hidden)
        allowed = mask.astype(np.float32)
        allowed /= np.maximum(allowed.sum(axis=1, keepdims=True), 1.0)
        context = np.einsum("bwh,bw->bh", hidden, allowed)
        hidden = hidden @ w["hidden_kernel"]
        hidden += (context @ w["context_kernel"] + w["context_bias"])[:, None, :]
        np.maximum(hidden, 0.0, out=hidden)
        return np.asarray(hidden @ w["output_kernel"] + w["output_bias"], dtype=np.float64)


OUTPUTS = 2
"""A target's outputs: log factor on the forecast's sharpness, addition to a miss's log-odds."""


def array_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's arrays, in their stored order.

    :param width: of both hidden layers.
    """
    return {
        "global_kernel": (len(GLOBAL_FEATURES), width),
        "global_bias": (width,),
        "target_kernel": (len(TARGET_FEATURES), width),
        "context_kernel": (width, width),
        "context_bias": (width,),
        "hidden_kernel": (width, width),
        "output_kernel": (width, OUTPUTS),
        "output_bias": (OUTPUTS,),
    }


ARRAYS: tuple[str, ...] = tuple(array_shapes(1))
"""The names of a network's arrays."""


def corrected(state: State, correction: Floats) -> Values:
    """`held`, its chances of a miss corrected by the network's outputs [B, W, 2]."""
    z = np.clip(state.z[:, : correction.shape[1]], -20.0, 20.0)
    scale = np.exp(np.clip(correction[:, :, 0], -3.0, 3.0))
    odds = LOGISTIC * z * scale - correction[:, :, 1]
    return _held(1.0 / (1.0 + np.exp(np.clip(odds, -40.0, 40.0))), state)
