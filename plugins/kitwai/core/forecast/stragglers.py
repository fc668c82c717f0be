"""Learns tails: how much longer stages last than their tasks and waves explain.

Two hypotheses are weighed against each other by the times of the stages so far (Bayes' rule).
*Calm*: every stage ends later or earlier by about the same share of a task, whatever the worker
count. *Straggling*: some tasks take several times as long as the others, on a bad host or for
skewed data. The wait for such a task depends on the worker count: the fewer waves there are, the
less other work is done meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.forecast.stage_times import Cells, makespan_of, sums

STAGE_TAIL = 0.12
"""Sigma of the end of a stage, in mean task times. When the last tasks end is chance."""

TAIL_CHANCE = 0.7
"""Share of a longer tail that is chance: a stage has a straggler, and the next stage has none."""

TAIL_SIGMA = (0.4, 0.15)
"""Sigma of the mean calm tail before the run, in mean task times a stage: of an unknown family, and
of a family whose past runs have shown its tails."""

STRAGGLING = (0.02, 0.2)
"""Chance before the run that it has stragglers: of an unknown family, and of a known family.

An unknown family is given the smaller chance, since some tail of it is expected anyway."""

STRAGGLER = 5.0
"""Time of a straggling task, in mean task times."""

STRAGGLERS = 0.02
"""Share of straggling tasks at rate 1. `RATE` is in this unit."""

RATE = (1.0, 0.5)
"""Mean and sigma of the rate before the run, given that the run has stragglers."""

RATE_CHANCE = 1.2
"""Sigma of the time that one stage's stragglers add, as a share of its mean at rate 1."""

OVERDUE = 0.5
"""A stage's last tasks are overdue when they run so many mean task times longer than its waves."""

_TWICE = 0.5
"""Sigma of the time that waves explain twice (`_twice_explained`), as a share of that time."""


@dataclass(frozen=True, slots=True)
class Tails:
    """The tails of B runs, as they are believed now; all arrays [B].

    ``calm``, ``calm_var``: mean and variance of a stage's calm tail in mean task times; ``rate``,
    ``rate_var``: mean and variance of the rate of stragglers, in units of `STRAGGLERS`;
    ``straggling``: the chance that the run has stragglers.
    """

    calm: Floats
    calm_var: Floats
    rate: Floats
    rate_var: Floats
    straggling: Floats


def learn_tails(
    view: View,
    finished: Cells,
    gap_s: Floats,
    slots: Floats,
    loss: Floats,
    task_s: Floats,
    informed: Bools,
) -> Tails:
    """What the stages so far tell of the tails.

    A stage of which only overdue tasks are left counts as if it ended now. So stragglers are
    expected while the run still waits for them.

    :param finished: `kitwai.core.forecast.stage_times.cells`; ``gap_s``: [B, S] seconds, from
        `kitwai.core.forecast.stage_times.gaps`; ``slots``: [B, W] at every worker count; ``loss``:
        [B, W] factor on the time of the waves; ``task_s``: [B, S] expected mean task times in
        seconds at the present count; ``informed``: [B] whether the family is known.
    """
    ended = view.ended & (view.complete > 0) & np.isfinite(view.ended_s)
    row, stage, count = finished.row, finished.stage, finished.count
    m, lost = slots[row, count], loss[row, count]
    k = np.maximum(np.where(ended, view.complete, view.tasks)[row, stage], 1).astype(np.float64)
    waves = makespan_of(k, m)
    overdue = _overdue(view, finished, waves * lost)
    last = np.where(overdue, view.now[:, None], np.where(ended, view.ended_s, 0.0)).max(axis=1)
    ended |= overdue
    last = np.minimum(last, view.now)
    began = np.minimum(view.began_s, view.now[:, None])
    # A stage under way counts by the part of its time that lies before the last end.
    part = np.clip((last[:, None] - began) / np.maximum(view.now[:, None] - began, 1e-9), 0.0, 1.0)
    part = np.where(ended, 1.0, np.where(view.active + view.complete > 0, part, 0.0))
    n, cell_s = finished.tasks * part[row, stage], finished.run_s * part[row, stage]

    def of_stages(values: Floats) -> Floats:
        return sums((row, stage), values, ended.shape)

    whole = ended[row, stage]
    stretch = np.where(whole, waves * m / k, 1.0)
    explained = np.bincount(row, weights=cell_s / m * stretch * lost, minlength=len(slots))
    idle = np.where(began < last[:, None], gap_s, 0.0).sum(axis=1)
    twice = _twice_explained(view, slots, row, count, n, cell_s)
    over = last - idle - explained + twice.sum(axis=1)

    tasks = of_stages(np.where(whole, n, 0.0))
    mean_s = _divide(of_stages(np.where(whole, cell_s, 0.0)), tasks)
    per_tail = mean_s.sum(axis=1)
    some = per_tail > 0
    # A sum over very unequal stages tells as much as its longest stage alone.
    chance = mean_s.max(axis=1) * per_tail
    # The time that stages under way have used is known to about half a task.
    under_way = (0.5 * np.where((part > 0) & ~ended, task_s, 0.0).max(axis=1)) ** 2
    under_way += _TWICE**2 * (twice**2).sum(axis=1)
    seen = _divide(over, per_tail)
    prior2 = np.where(informed, TAIL_SIGMA[1], TAIL_SIGMA[0]) ** 2
    spread2 = (STAGE_TAIL + TAIL_CHANCE * np.maximum(seen, 0.0)) ** 2
    error = np.where(some, _divide(spread2 * chance + under_way, per_tail**2), np.inf)
    gain = prior2 / (prior2 + error)

    added = np.where(whole, n * _added(k, m), 0.0)
    added_s = _divide(of_stages(added), tasks) * mean_s
    total_s = added_s.sum(axis=1)
    least = STAGE_TAIL**2 * chance + under_way
    noise = least + RATE_CHANCE**2 * (added_s**2).sum(axis=1)
    mean, sigma = RATE
    rate_gain = np.where(some, _divide(sigma**2 * total_s, sigma**2 * total_s**2 + noise), 0.0)
    odds = np.where(
        some,
        _log_density(over - mean * total_s, sigma**2 * total_s**2 + noise)
        - _log_density(over, prior2 * per_tail**2 + least),
        0.0,
    )
    expected = np.where(informed, STRAGGLING[1], STRAGGLING[0])
    odds += np.log(expected / (1.0 - expected))
    return Tails(
        calm=gain * seen,
        calm_var=prior2 * (1.0 - gain),
        rate=np.maximum(mean + rate_gain * (over - mean * total_s), 0.0),
        rate_var=sigma**2 * (1.0 - rate_gain * total_s),
        straggling=1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0))),
    )


def tails_left(tails: Tails, left: Floats, slots: Floats, task_s: Floats) -> tuple[Floats, Floats]:
    """Mean and variance, [B, W], of the tails still to come, in seconds at the level l = 0.

    :param left: [B, S] tasks left; ``slots``: [B, W]; ``task_s``: [B, S] mean task time in seconds.
    """
    tail_s = np.where(left > 0, task_s, 0.0)
    total = tail_s.sum(axis=1)
    noise = STAGE_TAIL + TAIL_CHANCE * np.maximum(tails.calm, 0.0)
    calm = (tails.calm * total)[:, None]
    calm_var = (noise**2 * (tail_s**2).sum(axis=1) + tails.calm_var * total**2)[:, None]
    added = np.zeros((*left.shape, slots.shape[1]))
    row, stage = np.nonzero((left > 0) & (tails.straggling > 0.001)[:, None])
    added[row, stage] = _added(left[row, stage][:, None], slots[row]) * task_s[row, stage][:, None]
    added_s = added.sum(axis=1)
    rate = tails.rate[:, None]
    rough = rate * added_s
    rough_var = tails.rate_var[:, None] * added_s**2 + RATE_CHANCE**2 * rate * (added**2).sum(
        axis=1
    )
    p = tails.straggling[:, None]
    mean = (1.0 - p) * calm + p * rough
    variance = (1.0 - p) * (calm_var + (calm - mean) ** 2) + p * (rough_var + (rough - mean) ** 2)
    return mean, variance


def _added(k: Floats, m: Floats) -> Floats:
    """Mean time that stragglers at rate 1 add to a stage of ``k`` tasks on ``m`` slots.

    It is the chance of a straggler, times how much later the straggler ends than the other tasks.
    The straggler is as likely to begin in the first wave as in the last. In mean task times.
    """
    waves = np.maximum(k / m, 1.0)
    longer = np.where(
        waves <= STRAGGLER,
        STRAGGLER - 0.5 * (waves + 1.0),
        0.5 * (STRAGGLER - 1.0) ** 2 / np.maximum(waves - 1.0, 1.0),
    )
    return np.asarray(-np.expm1(-STRAGGLERS * k) * longer)


def _overdue(view: View, finished: Cells, waves: Floats) -> Bools:
    """[B, S] whether the last tasks of a stage are overdue (`OVERDUE`).

    No task of such a stage waits, and some tasks have ended. Their times tell how long the stage
    should last.

    :param waves: [C] of each cell, how long its stage lasts at that count, in mean task times.
    """
    last = (view.active > 0) & (view.complete > 0) & (view.active + view.complete >= view.tasks)
    if not last.any():
        return last
    of_stage = (finished.row, finished.stage)
    tasks = sums(of_stage, finished.tasks, last.shape)
    expected_s = sums(of_stage, finished.run_s * (waves + OVERDUE), last.shape)
    expected_s = _divide(expected_s, tasks)
    return np.asarray(last & (tasks > 0) & (view.now[:, None] - view.began_s > expected_s))


def _twice_explained(
    view: View, slots: Floats, row: Ints, count: Ints, n: Floats, cell_s: Floats
) -> Floats:
    """[B, W] seconds that waves explain twice.

    After workers have come, tasks of the former workers run on beside the first tasks of the new
    workers, for half of their time on average.

    :param n: [C] tasks of each cell; ``cell_s``: [C] their run time in seconds.
    """
    tasks = sums((row, count), n, slots.shape)
    more = np.where(tasks > 0, slots, np.inf)
    more = np.minimum.accumulate(more[:, ::-1], axis=1)[:, ::-1]
    more = np.concatenate([more[:, 1:], np.full((len(slots), 1), np.inf)], axis=1)
    more = np.minimum(more, np.maximum(view.serving * view.cores, 1)[:, None])
    beside = np.clip(1.0 - slots / more, 0.0, 1.0) * np.minimum(tasks / slots, 1.0)
    return np.asarray(0.5 * _divide(sums((row, count), cell_s, slots.shape), tasks) * beside)


def _log_density(x: Floats, variance: Floats) -> Floats:
    variance = np.maximum(variance, 1e-12)
    return np.asarray(-0.5 * (x**2 / variance + np.log(variance)))


def _divide(a: Floats, b: Floats) -> Floats:
    """a / b for arrays of one shape; 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(b), where=b > 0)
