"""The gate: a challenger takes the champion's place only if it is no worse on limits met and, by
paired bootstrap over episodes, cheaper, or better on limits.

Both run the same episodes of two sets: fixed held-out applications, on which nobody has trained or
selected, and the newest that really ran, where a version knows all runs but the one it is asked
about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import Policy
from kitwai.learning.selection import FEWEST, interval
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy with the past runs that it knows; None: those of the applications it is judged on
    (the regimes of `kitwai.sim.episodes`).
    """

    policy: Policy
    runs: Mapping[str, Sequence[Record]] | None = None

    def controller(self) -> PolicyController:
        """It as a controller of simulated episodes."""
        return PolicyController(self.policy, history=self.runs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion over the feasible episodes of one set.

    ``drawn``: how many units the bootstrap draws from, families or applications. ``hits`` of both,
    (challenger's, champion's); ``more_hits`` and ``cost``: challenger's minus champion's as (mean,
    95 % interval's low, high), of the share of limits met and of the cost in best statics'.
    """

    name: str
    applications: int
    drawn: int
    feasible: int
    hits: tuple[int, int]
    more_hits: tuple[float, float, float]
    cost: tuple[float, float, float]

    @property
    def worse(self) -> str | None:
        """What is worse than the champion's, None if nothing is."""
        mine, theirs = self.hits
        if mine < theirs:
            return f"meets {mine} of {self.feasible} limits and the champion {theirs}"
        if self.cost[1] > 0 and self.more_hits[1] <= 0:
            return f"costs more than the champion{self._cost()}"
        return None

    @property
    def better(self) -> str | None:
        """What is better than the champion's, None if nothing is for certain."""
        if self.drawn < FEWEST:
            return None
        mine, theirs = self.hits
        if self.more_hits[1] > 0:
            return f"meets {mine} of {self.feasible} limits and the champion {theirs}"
        if self.cost[2] < 0:
            return f"costs less than the champion{self._cost()}"
        return None

    def sentence(self) -> str:
        """The figures for people."""
        mine, theirs = self.hits
        return (
            f"{self.name}: {mine} limits met against {theirs} of {self.feasible}, "
            f"cost{self._cost()} ({self.applications} applications)"
        )

    def _cost(self) -> str:
        mean, low, high = self.cost
        return f" by {mean:+.4f} ({low:+.4f} to {high:+.4f}) of the best static's"


def compare(
    name: str,
    library: Library,
    challenger: Candidate,
    champion: Candidate,
    *,
    regimes: Sequence[str],
    workers: Sequence[int],
    limits_s: Sequence[float],
    seed: int,
    whole_families: bool,
) -> Comparison:
    """Let both run every profile under every constraint in every regime.

    :param whole_families: the bootstrap draws families with all their applications, because the set
        stands for families that are not in it. False: it draws applications, because these families
        are the ones that will run again.
    """
    mine, theirs = challenger.controller(), champion.controller()
    hits: list[Floats] = []
    more: list[Floats] = []
    cost: list[Floats] = []
    group: list[np.ndarray] = []
    for regime in regimes:
        episodes = grid_episodes(library, regime, seed=seed, workers=workers, limits_s=limits_s)
        judge = Judge(library, episodes)
        one, other = judge.run(mine), judge.run(theirs)
        rows = judge.feasible
        met = [(outcome.finish_s <= episodes.limit_s)[rows] for outcome in (one, other)]
        hits.append(np.array([part.sum() for part in met], dtype=np.float64))
        more.append(met[0].astype(np.float64) - met[1])
        difference = one.worker_seconds - other.worker_seconds
        cost.append(difference[rows] / judge.best_cost[rows])
        group.append(episodes.profile[rows])
    profile = np.concatenate(group)
    drawn = library.family[profile] if whole_families else profile
    rng = np.random.default_rng(seed)
    total = np.sum(hits, axis=0)
    return Comparison(
        name=name,
        applications=len(np.unique(profile)),
        drawn=len(np.unique(drawn)),
        feasible=len(profile),
        hits=(int(total[0]), int(total[1])),
        more_hits=_mean(np.concatenate(more), drawn, rng),
        cost=_mean(np.concatenate(cost), drawn, rng),
    )


def _mean(
    values: Floats, drawn: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float]:
    if not values.size:
        return (0.0, 0.0, 0.0)
    low, high = interval(values, drawn, rng)
    return (round(float(values.mean()), 6), round(low, 6), round(high, 6))


def gate(comparisons: Sequence[Comparison]) -> tuple[bool, str]:
    """Whether the challenger passes, and why in one sentence."""
    for one in comparisons:
        if one.worse is not None:
            return False, f"On {one.name} it {one.worse}."
    better = [f"on {one.name} it {one.better}" for one in comparisons if one.better is not None]
    if better:
        sentence = "; ".join(better)
        return True, f"{sentence[0].upper()}{sentence[1:]}, and nowhere it is worse."
    told = "; ".join(one.sentence() for one in comparisons)
    return False, f"It is not better than the champion for certain ({told})."
