"""Two policies' decisions on the same observations, held against each other.

Each policy's target is judged by the forecasts of both: what the one loses by the other's choice is
its *regret*. A loss is minus a Q-value (`kitwai.core.policy.policy`): the expected cost from now
on plus the price of a missed limit times its chance (and of the predicted lateness), in costs of
the whole run on the best static cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kitwai.core.records.decision import ApplicationDecision, Decision


@dataclass(frozen=True, slots=True)
class Seen:
    """The second policy's targets less the first's as one of the two forecasts sees them: means
    over the decisions on applications that it has judged, 0 where both chose the same.

    ``loss``: see above; ``cost_s``: worker-seconds from the decision to the predicted finish;
    ``finish_s``: seconds of the predicted finish; ``miss``: chance of a missed limit. None where
    it has judged none.
    """

    loss: float | None
    cost_s: float | None
    finish_s: float | None
    miss: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``decisions``: how many were compared; of these on ``differs`` the cluster's targets differ,
    on ``fewer`` and ``more`` the second asks for fewer or more workers; ``workers``: the second's
    target less the first's, in the mean. ``judged``: decisions on applications that both forecasts
    have judged, on ``same_forecast`` of which both predict the same finish for every target.
    ``first``, ``second``: how each of the two sees it.
    """

    decisions: int
    differs: int
    fewer: int
    more: int
    workers: float | None
    judged: int
    same_forecast: int
    first: Seen
    second: Seen

    @property
    def share(self) -> float | None:
        """Share of the decisions on which the targets differ."""
        return self.differs / self.decisions if self.decisions else None

    @property
    def regret_first(self) -> float | None:
        """What the second's targets lose, as the first sees it."""
        return self.first.loss

    @property
    def regret_second(self) -> float | None:
        """What the first's targets lose, as the second sees it."""
        return None if self.second.loss is None else 0.0 - self.second.loss


def compare(pairs: Iterable[tuple[Decision, Decision]]) -> Comparison:
    """Compare decisions on the same observations.

    :param pairs: the first policy's and the second's.
    """
    decisions = 0
    steps: list[int] = []
    judged = same = 0
    seen: tuple[list[Seen], list[Seen]] = ([], [])
    for one, other in pairs:
        decisions += 1
        if one.target is not None and other.target is not None:
            steps.append(other.target - one.target)
        theirs = {decided.id: decided for decided in other.applications}
        for mine in one.applications:
            if mine.id not in theirs:
                continue
            yours = theirs[mine.id]
            for by, found in zip((mine, yours), seen, strict=True):
                if by.q_values is not None:
                    found.append(_differences(by, mine.target, yours.target))
            if mine.q_values is not None and yours.q_values is not None:
                judged += 1
                same += mine.predicted_finish_s == yours.predicted_finish_s
    first, second = (_seen(found) for found in seen)
    return Comparison(
        decisions=decisions,
        differs=sum(step != 0 for step in steps),
        fewer=sum(step < 0 for step in steps),
        more=sum(step > 0 for step in steps),
        workers=_mean(steps),
        judged=judged,
        same_forecast=same,
        first=first,
        second=second,
    )


def _differences(by: ApplicationDecision, first: int, second: int) -> Seen:
    """Target ``second`` less target ``first``, as ``by`` sees them."""
    q = _step(by.q_values, first, second)
    finish_s = _step(by.predicted_finish_s, first, second)
    cost_s = None
    if finish_s is not None and by.predicted_finish_s is not None:
        ends = by.predicted_finish_s
        cost_s = second * (ends[second - 1] - by.elapsed_s)
        cost_s -= first * (ends[first - 1] - by.elapsed_s)
    return Seen(
        loss=None if q is None else -q,
        cost_s=cost_s,
        finish_s=finish_s,
        miss=_step(by.miss_probability, first, second),
    )


def _step(values: Sequence[float] | None, first: int, second: int) -> float | None:
    if values is None or max(first, second) > len(values):
        return None
    return values[second - 1] - values[first - 1]


def _seen(found: Sequence[Seen]) -> Seen:
    def mean(name: str) -> float | None:
        return _mean([one for one in (getattr(each, name) for each in found) if one is not None])

    return Seen(**{name: mean(name) for name in Seen.__slots__})


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
