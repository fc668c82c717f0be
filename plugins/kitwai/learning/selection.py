"""Whether a trained network is worth being asked: judged on applications that it has not seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.policy.policy import KNOWLEDGE, PRICES, ForecastPolicy, NetworkPolicy, price_of
from kitwai.sim.episodes import DEFAULT_MISS, REGIMES, grid_episodes
from kitwai.sim.judging import Judge, Outcome
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController

_WORKERS, _LIMITS_S = (2, 4, 7, 10), (300.0, 420.0, 600.0)
_RESAMPLES = 2000
FEWEST = 5
"""Families below which the interval says nothing: of a single one it has no width."""

_REGIMES_OF = {"informed": ("recurring", "disturbed"), "uninformed": ("new",)}


@dataclass(frozen=True, slots=True)
class Selection:
    """``trusted``: for `kitwai.core.policy.policy.NetworkPolicy`, with a sentence each in
    ``reasons``; ``prices``: of a missed limit; ``metrics``: regime -> policy -> row of
    `kitwai.sim.judging`.
    """

    trusted: dict[str, bool]
    reasons: dict[str, str]
    prices: Mapping[float, float]
    metrics: dict[str, dict[str, Any]]


def select(library: Library, policy: NetworkPolicy, seed: int) -> Selection:
    """Judge the network against the forecast alone, regime by regime.

    It is trusted where the loss (cost in best statics', a missed limit at the price of the default
    miss probability) is smaller with it: the 95 % interval of the mean difference over episodes
    (paired bootstrap, by family, whose members are alike) lies below 0.
    """
    price = price_of(DEFAULT_MISS, PRICES)
    metrics: dict[str, dict[str, Any]] = {}
    losses: dict[str, tuple[Floats, np.ndarray]] = {}
    for regime in REGIMES:
        episodes = grid_episodes(library, regime, seed=seed, workers=_WORKERS, limits_s=_LIMITS_S)
        judge = Judge(library, episodes)
        runs = {
            "network": judge.run(PolicyController(policy)),
            "forecast": judge.run(PolicyController(ForecastPolicy())),
            "always-N": judge.at_most,
        }
        metrics[regime] = {
            name: dataclasses.asdict(judge.judge(outcome)) for name, outcome in runs.items()
        }
        difference = _loss(judge, runs["network"], price) - _loss(judge, runs["forecast"], price)
        feasible = judge.feasible
        losses[regime] = difference[feasible], library.family[episodes.profile[feasible]]
    trusted: dict[str, bool] = {}
    reasons: dict[str, str] = {}
    for knowledge in KNOWLEDGE:
        regimes = _REGIMES_OF[knowledge]
        difference = np.concatenate([losses[one][0] for one in regimes])
        group = np.concatenate([losses[one][1] for one in regimes])
        families = len(np.unique(group))
        if families < FEWEST:
            trusted[knowledge] = False
            reasons[knowledge] = (
                f"the network abstains: applications of {families} families can meet a limit, and "
                f"at least {FEWEST} are needed to judge it."
            )
            continue
        low, high = interval(difference, group, np.random.default_rng(seed))
        trusted[knowledge] = bool(high < 0.0)
        reasons[knowledge] = (
            f"the network changes the loss by {difference.mean():+.4f} "
            f"({low:+.4f} to {high:+.4f}), "
            + ("and is trusted." if trusted[knowledge] else "and abstains.")
        )
    return Selection(trusted, reasons, PRICES, metrics)


def _loss(judge: Judge, outcome: Outcome, price: float) -> Floats:
    missed = outcome.finish_s > judge.episodes.limit_s
    return np.asarray(outcome.worker_seconds / judge.best_cost + price * missed)


def interval(values: Floats, group: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of the mean, whole groups drawn. ``values``, ``group``: [E]."""
    _, index = np.unique(group, return_inverse=True)
    sums = np.bincount(index, weights=values)
    counts = np.bincount(index).astype(np.float64)
    drawn = rng.integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
