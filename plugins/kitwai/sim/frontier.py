"""Whether a policy dominates the frontier of the baselines: as many limits met, at lower cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools
from kitwai.sim.judging import Judge, Outcome

CONFIDENCE = 0.95
_RESAMPLES = 10_000
_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a policy compares with the frontier.

    ``hits``: limits it met of ``feasible`` episodes; ``beaten_by``: baselines with at least as many
    hits at a cost not above the policy's; ``rival``: the cheapest of the baselines with the most
    hits; ``rival_hits``: that number of hits. ``saving``: by how much the policy is cheaper than
    the rival, as a share of the best static cluster's cost; it is a mean over the episodes that
    both hit. ``saving_low``, ``saving_high``: its interval. None if there is no baseline, or no
    episode that both hit.
    """

    dominates: bool
    feasible: int
    hits: int
    beaten_by: tuple[str, ...]
    rival: str | None
    rival_hits: int | None
    saving: float | None
    saving_low: float | None
    saving_high: float | None

    def sentence(self) -> str:
        """The verdict as a sentence."""
        if self.rival is None or self.rival_hits is None:
            return "Nothing to compare with."
        head = "dominates the frontier" if self.dominates else "does not dominate the frontier"
        against = f"{self.hits} hits of {self.feasible}, {self.rival} {self.rival_hits}"
        if self.saving is not None:
            against += (
                f"; cheaper than it by {self.saving:.3f} of the best static's cost "
                f"({self.saving_low:.3f} to {self.saving_high:.3f})"
            )
        beaten = f"; beaten by {', '.join(self.beaten_by)}" if self.beaten_by else ""
        return f"{head}: {against}{beaten}."


def dominates(
    agent: Outcome, baselines: Mapping[str, Outcome], judge: Judge, seed: int
) -> tuple[bool, Verdict]:
    """Whether ``agent`` dominates ``baselines``, all run on the judge's episodes.

    It dominates if two things hold. No baseline has as many hits at a cost not above the agent's.
    And the agent hits as often as the best baseline and is cheaper than it: the 95 % interval of a
    paired bootstrap over episodes lies above 0.

    Costs are shares of the best static cluster's cost. Two policies are compared over the feasible
    episodes that both hit, so that neither gains by missing expensive episodes.

    :param seed: seed of the bootstrap.
    """
    hit = _hits(agent, judge)
    hits, feasible = int(hit.sum()), int(judge.feasible.sum())
    beaten, rivals = [], []
    for name, outcome in baselines.items():
        other = _hits(outcome, judge)
        both = hit & other
        difference = _saving(agent, outcome, both, judge).mean() if both.any() else 0.0
        if other.sum() >= hits and difference <= 0.0:
            beaten.append(name)
        ratio = outcome.worker_seconds[other] / judge.best_cost[other]
        rivals.append((-int(other.sum()), float(ratio.mean()) if other.any() else np.inf, name))
    if not rivals or feasible == 0:
        return False, Verdict(False, feasible, hits, tuple(beaten), None, None, None, None, None)
    negative_hits, _, rival = min(rivals)
    both = hit & _hits(baselines[rival], judge)
    if not both.any():
        nothing = Verdict(
            False, feasible, hits, tuple(beaten), rival, -negative_hits, None, None, None
        )
        return False, nothing
    saving = _saving(agent, baselines[rival], both, judge)
    low, high = _interval(saving, seed)
    verdict = Verdict(
        dominates=not beaten and hits >= -negative_hits and low > 0.0,
        feasible=feasible,
        hits=hits,
        beaten_by=tuple(beaten),
        rival=rival,
        rival_hits=-negative_hits,
        saving=round(float(saving.mean()), 4),
        saving_low=round(low, 4),
        saving_high=round(high, 4),
    )
    return verdict.dominates, verdict


def _hits(outcome: Outcome, judge: Judge) -> Bools:
    return np.asarray(judge.feasible & (outcome.finish_s <= judge.episodes.limit_s))


def _saving(agent: Outcome, other: Outcome, rows: Bools, judge: Judge) -> np.ndarray:
    more = other.worker_seconds[rows] - agent.worker_seconds[rows]
    return np.asarray(more / judge.best_cost[rows])


def _interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Interval of the mean by the percentile bootstrap (Efron and Tibshirani, 1993, chapter 13)."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_AT_ONCE // len(values))
    means: list[np.ndarray] = []
    for begin in range(0, _RESAMPLES, at_once):
        size = (min(at_once, _RESAMPLES - begin), len(values))
        means.append(values[rng.integers(len(values), size=size)].mean(axis=1))
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = np.quantile(np.concatenate(means), [tail, 1.0 - tail])
    return float(low), float(high)
