"""The gate: whether a challenger takes the champion's place.

It must not be worse on limits met. By a paired bootstrap over episodes it must be cheaper, or
better on limits. Both run the same episodes of two sets of applications. The first set is fixed and
held out: no network was trained or selected on it. The second set are the newest applications that
really ran; there a version knows all past runs but the run that is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import Policy
from kitwai.learning.selection import FEWEST, interval
from kitwai.learning.trial import Trial
from kitwai.sim.policy_controller import PolicyController


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy with the past runs that it knows. None: the past runs of the applications on which
    it is judged, as the regimes of `kitwai.sim.episodes` say.
    """

    policy: Policy
    runs: Mapping[str, Sequence[Record]] | None = None

    def controller(self) -> PolicyController:
        """The candidate as a controller of simulated episodes."""
        return PolicyController(self.policy, history=self.runs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion over the feasible episodes of one set.

    ``drawn``: how many families or applications the bootstrap draws from; ``hits``: limits met by
    challenger and champion. ``more_hits`` (share of limits met) and ``cost`` (over the best static
    cluster's): challenger's minus champion's as mean, and low and high of its 95 % interval.
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
        """In what the challenger is worse; None: in nothing."""
        mine, theirs = self.hits
        if mine < theirs:
            return f"meets {mine} of {self.feasible} limits and the champion {theirs}"
        if self.cost[1] > 0 and self.more_hits[1] <= 0:
            return f"costs more than the champion{self._cost()}"
        return None

    @property
    def better(self) -> str | None:
        """In what the challenger is better for certain; None: in nothing."""
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
    name: str, trial: Trial, challenger: Candidate, champion: Candidate, *, whole_families: bool
) -> Comparison:
    """Let both run the episodes of a trial.

    :param whole_families: the bootstrap draws families with all their applications, because the set
        stands for families that are not in it. False: it draws applications, because the same
        families will run again.
    """
    mine, theirs = challenger.controller(), champion.controller()
    hits: list[Floats] = []
    more: list[Floats] = []
    cost: list[Floats] = []
    group: list[np.ndarray] = []
    for _, judge in trial.judges():
        episodes, feasible = judge.episodes, judge.feasible
        outcomes = judge.run(mine), judge.run(theirs)
        met = [(outcome.finish_s <= episodes.limit_s)[feasible] for outcome in outcomes]
        hits.append(np.array([part.sum() for part in met], dtype=np.float64))
        more.append(met[0].astype(np.float64) - met[1])
        difference = outcomes[0].worker_seconds - outcomes[1].worker_seconds
        cost.append(difference[feasible] / judge.best_cost[feasible])
        group.append(episodes.profile[feasible])
    profile = np.concatenate(group)
    drawn = trial.library.family[profile] if whole_families else profile
    rng = np.random.default_rng(trial.seed)
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
    for comparison in comparisons:
        if comparison.worse is not None:
            return False, f"On {comparison.name} it {comparison.worse}."
    better = [
        f"on {comparison.name} it {comparison.better}"
        for comparison in comparisons
        if comparison.better is not None
    ]
    if better:
        sentence = "; ".join(better)
        return True, f"{sentence[0].upper()}{sentence[1:]}, and nowhere it is worse."
    figures = "; ".join(comparison.sentence() for comparison in comparisons)
    return False, f"It is not better than the champion for certain ({figures})."
