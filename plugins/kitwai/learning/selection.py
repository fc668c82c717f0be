"""Selection: where a trained network is trusted, judged on applications that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.policy.policy import KNOWLEDGE, PRICES, ForecastPolicy, NetworkPolicy, price_of
from kitwai.learning.trial import Trial, rows
from kitwai.sim.episodes import DEFAULT_MISS, REGIMES, knows_family
from kitwai.sim.judging import Judge, Outcome
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController

_RESAMPLES = 2000
FEWEST = 5
"""Fewest families for which the interval says something: with a single family it has no width."""

_REGIMES_OF = {
    "informed": [regime for regime in REGIMES if knows_family(regime)],
    "uninformed": [regime for regime in REGIMES if not knows_family(regime)],
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Where a network is trusted, and why.

    ``trusted``: for `kitwai.core.policy.policy.NetworkPolicy`; ``reasons``: a sentence for each of
    its keys; ``metrics``: regime -> policy -> row of the metrics table.
    """

    trusted: dict[str, bool]
    reasons: dict[str, str]
    metrics: dict[str, dict[str, Any]]


def select(library: Library, policy: NetworkPolicy, seed: int) -> Selection:
    """Judge the network against the forecast alone, regime by regime.

    The loss of an episode is its cost over the best static cluster's, and the price of a missed
    limit at the default miss probability. The network is trusted where the 95 % interval of the
    mean difference in loss lies below 0. The interval is a paired bootstrap that draws families,
    because the members of a family are alike.
    """
    price = price_of(DEFAULT_MISS, PRICES)
    metrics: dict[str, dict[str, Any]] = {}
    losses: dict[str, tuple[Floats, np.ndarray]] = {}
    for regime, judge in Trial(library, REGIMES, seed).judges():
        outcomes = {
            "network": judge.run(PolicyController(policy)),
            "forecast": judge.run(PolicyController(ForecastPolicy())),
            "always-N": judge.at_most,
        }
        metrics[regime] = rows(judge, outcomes)
        with_network, without = (
            _loss(judge, outcomes[name], price) for name in ("network", "forecast")
        )
        feasible = judge.feasible
        family = library.family[judge.episodes.profile[feasible]]
        losses[regime] = (with_network - without)[feasible], family
    trusted: dict[str, bool] = {}
    reasons: dict[str, str] = {}
    for knowledge in KNOWLEDGE:
        regimes = _REGIMES_OF[knowledge]
        difference = np.concatenate([losses[regime][0] for regime in regimes])
        family = np.concatenate([losses[regime][1] for regime in regimes])
        trusted[knowledge], reasons[knowledge] = _verdict(difference, family, seed)
    return Selection(trusted, reasons, metrics)


def _verdict(difference: Floats, family: np.ndarray, seed: int) -> tuple[bool, str]:
    """Whether the network is trusted, and why. ``difference``: of the loss; both [E]."""
    families = len(np.unique(family))
    if families < FEWEST:
        return False, (
            f"the network abstains: applications of {families} families can meet a limit, and "
            f"at least {FEWEST} are needed to judge it."
        )
    low, high = interval(difference, family, np.random.default_rng(seed))
    trusted = bool(high < 0.0)
    return trusted, (
        f"the network changes the loss by {difference.mean():+.4f} ({low:+.4f} to {high:+.4f}), "
        + ("and is trusted." if trusted else "and abstains.")
    )


def _loss(judge: Judge, outcome: Outcome, price: float) -> Floats:
    missed = outcome.finish_s > judge.episodes.limit_s
    return np.asarray(outcome.worker_seconds / judge.best_cost + price * missed)


def interval(values: Floats, group: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The 95 % interval of the mean by a bootstrap that draws whole groups.

    :param values: [E]; ``group``: [E] the group of each value.
    """
    _, index = np.unique(group, return_inverse=True)
    sums = np.bincount(index, weights=values)
    counts = np.bincount(index).astype(np.float64)
    drawn = rng.integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
