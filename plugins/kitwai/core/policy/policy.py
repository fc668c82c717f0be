"""Policies: state -> expected cost and chance of a missed limit for every target.

One scale for all: cost in costs of the best static cluster, a missed limit at its price in the same
unit. The Q-value of a target is minus the sum; the best allowed target is the recommendation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.policy.replanning import LOGISTIC, with_recourse
from kitwai.core.policy.state import GLOBAL_FEATURES, TARGET_FEATURES, TARGETS, State, encode

PRIOR = {"prediction": "belief-7", "logistic": LOGISTIC}
"""What a network corrects: one that was trained with another prediction is of no use."""

KNOWLEDGE = ("informed", "uninformed")
"""Whether the runs of an application's family are known, or nothing is."""

TRUSTED = {"informed": True, "uninformed": True}

UNINFORMED = (0.5, 0.2)
"""Where nothing is known of the family, a missed limit counts half of its price, and before a task
has ended no more than 0.2. The forecast is then so wide that a miss seems likely whatever is done,
while most of it can be mended when the first tasks have told more: the full price buys hardly a
limit and costs half as much again. The two numbers were chosen by the misses of measured and of
synthetic applications."""

FOR_GOOD = 3.0
"""A miss is charged so much more where a target is judged as if it were held to the end: what seems
possible then is not mended later. Where tasks straggle that is how it is: more workers do not
shorten the wait for a straggler."""

SWITCH = 0.015
"""A change of the worker count must be worth this share of the run's cost."""

PRICES = {0.01: 2.5, 0.05: 1.3, 0.2: 0.3}
"""Price of a missed limit by stated miss probability, where no checkpoint has measured it."""


@dataclass(frozen=True, slots=True)
class Values:
    """What B states make of W targets.

    ``cost`` [B, W]: expected cost from now on if the target is held to the end, in units of the
    whole run on the best static cluster; ``miss`` [B, W]: chance that the limit is missed then;
    ``q`` [B, W]: minus cost and charged misses, as far as the policy sees, higher is better.
    ``network`` [B]: whether a trained network gave these values; None: the forecast gave all.
    """

    cost: Floats
    miss: Floats
    q: Floats
    network: Bools | None = None

    def best(self, state: State) -> Ints:
        """[B] the target allowed with the highest Q-value, by more than `SWITCH` if another than
        the present one.
        """
        width = self.q.shape[1]
        stays = np.arange(1, width + 1) == state.workers[:, None]
        q = self.q + SWITCH * stays
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
    """The price of a missed limit at which about ``miss`` of the limits are missed; log-log between
    the measured ones, at the ends the nearest.

    :param miss: stated miss probability, 0..1.
    """
    known = sorted(prices)
    logs = np.log([prices[one] for one in known])
    return float(np.exp(np.interp(np.log(max(miss, 1e-6)), np.log(known), logs)))


def _price(state: State) -> Floats:
    """[B] of a missed limit, by what is known of the family."""
    share, untold = UNINFORMED
    told = share * state.price
    blind = np.where(state.forecast.told, told, np.minimum(told, untold))
    return np.where(state.informed, state.price, blind)


def _held(miss: Floats, state: State) -> Values:
    """What each target is worth if it is held to the end and the limit is missed with these
    chances.

    A limit missed by far is worse than one missed by little: the predicted lateness, as a share
    of the time left, is charged at the same price, or what is late anyway would be left to itself.
    """
    width = miss.shape[1]
    cost = state.cost_s[:, :width] / state.best_s[:, None]
    until = np.maximum(state.limit_s - state.now, 1.0)[:, None]
    late = np.clip(state.forecast.left_s[:, :width] / until - 1.0, 0.0, 3.0)
    return Values(cost, miss, -(cost + FOR_GOOD * _price(state)[:, None] * (miss + late)))


def held(state: State) -> Values:
    """What each target is worth by the forecast alone, if it is held to the end."""
    return _held(1.0 / (1.0 + np.exp(LOGISTIC * np.clip(state.z, -20.0, 20.0))), state)


def changeable(state: State) -> Values:
    """What each target is worth by the forecast alone: with a change of mind later
    (`kitwai.core.policy.replanning`), but `held` as far as tasks are believed to straggle.
    """
    values = held(state)
    # Squared: a mere suspicion is no reason.
    straggling = (state.forecast.straggling**2)[:, None]
    q = straggling * values.q - (1.0 - straggling) * with_recourse(state, _price(state))
    return Values(values.cost, values.miss, q)


class ForecastPolicy:
    """The forecast, taken at its word: a chance-constrained controller.

    It needs no checkpoint, knows any N, and is what Kitwai falls back to. The baseline `lookahead`
    in closed form, with what is believed of the curve instead of a fit, and a change of mind.
    """

    version: str | None = None
    max_targets: int | None = None
    prices: Mapping[float, float] = PRICES

    def values(self, state: State) -> Values:
        """`changeable`."""
        return changeable(state)


class NetworkPolicy:
    """A trained Q-network: `held`, plus what the network has learnt it to be wrong by, that the
    target will be changed included; where it abstains, `changeable`.

    A NumPy forward pass. Every target goes through the same layers, with the mean over the targets
    allowed as context; two outputs a target: the log of a factor on its cost, and what is added to
    the log-odds of a miss.
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
        :param trusted: by `KNOWLEDGE`, whether the network's correction is used. Where it has not
            been found better than the forecast alone, it abstains.
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
            return changeable(state)
        own = corrected(state, self.correct(*encode(state), state.mask[:, :TARGETS]))
        if used.all():
            return replace(own, network=used[:, 0])
        width, formula = own.q.shape[1], changeable(state)
        # Chosen, not weighted: what the network says where it abstains may not be finite.
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
"""A target's outputs: log factor on its cost, addition to the log-odds of a miss."""


def array_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """The arrays of a network whose layers are ``width`` wide, in the order in which they are
    stored.
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
"""Their names."""


def corrected(state: State, correction: Floats) -> Values:
    """`held`, its chances of a miss corrected by the network's outputs [B, W, 2]."""
    z = np.clip(state.z[:, : correction.shape[1]], -20.0, 20.0)
    scale = np.exp(np.clip(correction[:, :, 0], -3.0, 3.0))
    odds = LOGISTIC * z * scale - correction[:, :, 1]
    return _held(1.0 / (1.0 + np.exp(np.clip(odds, -40.0, 40.0))), state)
