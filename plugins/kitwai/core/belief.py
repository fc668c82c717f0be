"""What is believed of the time that is left, as a function of the worker count: a distribution.

The model. A task of stage s, with n workers serving, takes exp(l_n + h_s + e_s) seconds on average:
``l`` is the level at each worker count (work and slowdown together), ``h`` the known weight of the
stage, ``e`` what makes the stage differ from it. Before the run ``l`` is Gaussian: mean and
covariance come from the runs of the family (`kitwai.core.history`), or, where nothing is known, are
`unknown`. Every finished task then tells of ``l`` at the count it ran at (Bayes' rule, one scalar
update a count) and of its stage; through the covariance it tells of the other counts too.

All arrays carry a leading batch axis B, so that the simulator asks the same function as the live
cluster. W is the number of worker counts, index i stands for i + 1 workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.stages import (
    Cells,
    cells,
    gaps,
    gaps_left,
    makespan,
    of_stages_alike,
    sums,
)
from kitwai.core.tails import learn_tails, tails_left
from kitwai.core.view import Bools, Floats, Ints, View

TASK_SIGMA = 0.2
"""Sigma of the log of one task's time within its stage, assumed."""

CENSORED = 0.5
"""While tasks of a stage run, the finished ones are the short ones: extra sigma of their mean when
all started ones still run."""

FORECAST_SIGMA = 0.005
"""Sigma of the log of a forecast whose rates and tails are all known."""

TROUBLED = 0.1
"""What else befalls runs whose tasks straggle, as hosts that fail: sigma of the log of their time
left."""

SPREAD_WEIGHT = 2.0
"""Weight of a known family's deviation of stages, in stages seen; of an unknown one's: 1."""

SHUFFLE_PARTITIONS = 200
"""Spark's default of spark.sql.shuffle.partitions."""

SHUFFLE_WEIGHT = (-2.5, 1.2)
"""Log of the time of a shuffle partition's task over that of another of the application, where
nothing is known of the family: mean and sigma. However little data there is, Spark cuts it into so
many pieces."""

MORE_STAGES = (-0.5, 1.0)
"""Log of the share of a stage that no run of the family had, over that of one of its stages: mean
and sigma, so that one more is expected to take as long as they do on average."""

_WAITED_S = 0.5
_UNKNOWN_STAGES = 0.4
_LEVEL = (float(np.log(2.5)), 1.8)

CURVE = np.array([-0.02, -0.09, -0.09, -0.08, -0.04, -0.01, 0.03, 0.06, 0.10, 0.13])
"""Mean of l at 1..10 workers, less its mean over them, where nothing is known: the first moment of
`kitwai.sim.synthetic` (2,500 profiles)."""

CURVE_FACTORS = np.array(
    [
        [-0.62, -0.41, -0.21, -0.03, 0.07, 0.16, 0.20, 0.25, 0.28, 0.30],
        [-0.20, 0.05, 0.14, 0.15, 0.10, 0.03, -0.01, -0.06, -0.09, -0.11],
        [-0.06, 0.11, 0.05, -0.05, -0.06, -0.05, -0.02, 0.01, 0.03, 0.06],
    ]
)
"""Its principal components, each times its standard deviation; what they leave out:"""
CURVE_REST = 0.06


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of B applications before they run.

    ============ ========= ================================================================
    field        shape     meaning
    ============ ========= ================================================================
    level        [B, W]    mean of l
    cov          [B, W, W] covariance of l
    loss         [B, W]    log of a run's time at n over what `forecast` makes of its rates
    share        [B, S]    log of a stage's share of the work; 0 where ``informed`` is False
    spread       [B]       sigma of e, the stages' own deviation
    tasks        [B, S]    tasks of stages that Spark has not shown yet, 0 where unknown
    gap_s        [B, S]    driver time before a stage
    informed     [B]       whether the family is known
    ============ ========= ================================================================
    """

    level: Floats
    cov: Floats
    loss: Floats
    share: Floats
    spread: Floats
    tasks: Floats
    gap_s: Floats
    informed: Bools

    def take(self, rows: Ints) -> Prior:
        """The priors of some rows."""
        return Prior(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def stack(cls, priors: Sequence[Prior]) -> Prior:
        """One batch of several; stages are filled up to the most of any."""
        most = max(prior.share.shape[1] for prior in priors)

        def filled(name: str) -> Floats:
            arrays = [getattr(prior, name) for prior in priors]
            if name in ("share", "tasks", "gap_s"):
                arrays = [np.pad(one, ((0, 0), (0, most - one.shape[1]))) for one in arrays]
            return np.concatenate(arrays)

        arrays: list[Any] = [filled(name) for name in cls.__slots__]
        return cls(*arrays)


def unknown(rows: int, counts: int, stages: int) -> Prior:
    """Nothing is known: tasks take about 2.5 s (within a factor of 6), and the curve is one of
    `kitwai.sim.synthetic`'s; beyond 10 workers it stays as it is at 10.
    """
    at = np.minimum(np.arange(counts), CURVE.size - 1)
    factors = CURVE_FACTORS[:, at]
    cov = _LEVEL[1] ** 2 + factors.T @ factors + CURVE_REST**2 * np.eye(counts)
    return Prior(
        level=np.tile(_LEVEL[0] + CURVE[at], (rows, 1)),
        cov=np.tile(cov, (rows, 1, 1)),
        loss=np.zeros((rows, counts)),
        share=np.zeros((rows, stages)),
        spread=np.full(rows, _UNKNOWN_STAGES),
        tasks=np.zeros((rows, stages)),
        gap_s=np.zeros((rows, stages)),
        informed=np.zeros(rows, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """The time left of B applications, if n workers were held from now on.

    ``left_s`` [B, W]: its median in seconds; ``sigma`` [B, W]: standard deviation of its log;
    ``progress`` [B]: share of the believed work that is done; ``tasks_left`` [B]: of the stages
    shown or planned; ``task_s`` [B]: mean time of those at the present count;
    ``level`` [B, W] and ``cov`` [B, W, W]: the posterior of l;
    ``tail`` [B] and ``tail_sigma`` [B]: believed calm tail of a stage in mean task times, and
    ``straggling`` [B]: the chance that the run has stragglers (`kitwai.core.tails`); ``spread``
    [B]: sigma of e; ``surprise`` [B]: how far the run has moved l at the present count;
    ``stages_ended`` [B]: how many; ``known`` [B]: whether there is work to forecast; ``told`` [B]:
    whether a finished task or a past run tells of it, and not only what applications in general
    need.
    """

    left_s: Floats
    sigma: Floats
    progress: Floats
    tasks_left: Floats
    task_s: Floats
    level: Floats
    cov: Floats
    tail: Floats
    tail_sigma: Floats
    straggling: Floats
    spread: Floats
    surprise: Floats
    stages_ended: Ints
    known: Bools
    told: Bools


def forecast(view: View, prior: Prior, start_delay_s: float) -> Forecast:
    """What is believed now.

    A target above the workers that serve helps only after ``start_delay_s`` (half of it for those
    that are starting already); until then those that serve work alone.
    """
    counts = prior.level.shape[1]
    stages = view.tasks.shape[1]
    shown = view.tasks > 0
    planned = _fit(prior.tasks, stages)
    tasks = np.where(shown, view.tasks, planned)
    # Nothing is known of the family: a stage of Spark's default count is a shuffle's.
    shuffle = ~prior.informed[:, None] & (tasks == SHUFFLE_PARTITIONS)
    more = prior.informed[:, None] & (planned == 0)
    usual = np.log(np.maximum((prior.tasks > 0).sum(axis=1), 1))[:, None]
    share = np.where(more, MORE_STAGES[0] - usual, _fit(prior.share, stages))
    weight = np.where(
        prior.informed[:, None],
        share - np.log(np.maximum(tasks, 1.0)),
        np.where(shuffle, SHUFFLE_WEIGHT[0], 0.0),
    )
    weight_var = np.where(shuffle, SHUFFLE_WEIGHT[1] ** 2, 0.0)
    weight_var = np.where(more, MORE_STAGES[1] ** 2, weight_var)

    finished = cells(view, counts)
    level, cov, own, own_var, gain, spread = _learn(view, prior, finished, weight, weight_var)

    left = np.maximum(tasks - view.complete - 0.5 * view.active, 0.0)
    left = np.where(view.ended, 0.0, left)
    task_s = np.exp(weight + own + 0.5 * np.minimum(own_var, 1.0))

    slots: Floats = np.arange(1.0, counts + 1.0) * view.cores[:, None].astype(np.float64)
    loss = np.exp(prior.loss)
    present = np.clip(view.serving, 1, counts)[:, None] - 1
    scale = np.exp(np.take_along_axis(level, present, 1)[:, 0])
    gap_s, here_s = gaps(view), task_s * scale[:, None]
    tails = learn_tails(view, finished, gap_s, slots, loss, here_s, prior.informed)
    waves = makespan(left, slots)
    # Tails below zero (stages that overlap fill each other's last waves) spare no more than the
    # slots' idle time.
    late, late_var = tails_left(tails, left, slots, task_s)
    rate = np.exp(level)
    at = (task_s[:, None, :] @ waves)[:, 0] * loss
    full = np.minimum((left * task_s).sum(axis=1)[:, None] / slots, at)
    at = np.maximum(at + late, full)
    at = at * rate + gaps_left(view, gap_s, _fit(prior.gap_s, stages), left)[:, None]

    left_s = _with_start_up(at, view, start_delay_s)
    work = left * task_s
    total = work.sum(axis=1)
    share = np.divide(work, total[:, None], out=np.zeros_like(work), where=total[:, None] > 0)
    of_stages = (share**2 * own_var).sum(axis=1)
    of_tails = late_var * rate**2 / np.maximum(at, 1e-3) ** 2
    of_tails += (tails.straggling * TROUBLED**2)[:, None]
    of_level = _of_level(cov, present[:, 0], (share * gain).sum(axis=1))
    sigma = of_level + of_stages[:, None] + of_tails
    sigma = np.sqrt(np.minimum(sigma, 4.0) + FORECAST_SIGMA**2)
    done = (np.where(view.ended, tasks, tasks - left) * task_s).sum(axis=1)
    count = left.sum(axis=1)
    return Forecast(
        left_s=left_s,
        sigma=sigma,
        progress=np.divide(done, done + total, out=np.zeros_like(done), where=done + total > 0),
        tasks_left=count,
        task_s=np.divide(total, count, out=np.zeros_like(total), where=count > 0) * scale,
        level=level,
        cov=cov,
        tail=tails.calm,
        tail_sigma=np.sqrt(tails.calm_var),
        straggling=tails.straggling,
        spread=spread,
        surprise=np.take_along_axis(level - prior.level, present, 1)[:, 0],
        stages_ended=view.ended.sum(axis=1),
        known=count > 0,
        told=(view.complete.sum(axis=1) > 0) | prior.informed,
    )


def _learn(
    view: View, prior: Prior, finished: Cells, weight: Floats, weight_var: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Posterior of l, [B, W] and [B, W, W], of e: mean, variance and how much of it has been learnt
    (0..1), [B, S], and its sigma, [B].

    :param weight: [B, S] h, and ``weight_var`` how well it is known.
    """
    rows, stages = weight.shape
    counts = prior.level.shape[1]
    row, stage, count, n, cell_s = finished
    y = np.log(np.maximum(cell_s / n, 1e-6)) - weight[row, stage]
    active, complete = view.active[row, stage], view.complete[row, stage]
    # Tasks of a lost worker run again, so that fewer may be complete than have finished.
    running = active / np.maximum(active + complete, 1)
    noise = TASK_SIGMA**2 / n + (CENSORED * running) ** 2
    of_stage, of_count = (row, stage), (row, count)
    # Only whole stages tell how stages differ: the first tasks that finish are the short ones.
    whole = np.where(view.ended[row, stage], n, 0.0)
    beyond = y - prior.level[row, count]
    shape = rows, stages
    spread2 = _spread2(sums(of_stage, beyond * whole, shape), sums(of_stage, whole, shape), prior)
    precision = 1.0 / (noise + spread2[row] + weight_var[row, stage])
    total = sums(of_count, precision, (rows, counts))
    observed = sums(of_count, precision * y, (rows, counts))
    observed = np.divide(observed, total, out=np.zeros_like(total), where=total > 0)
    level, cov = prior.level.copy(), prior.cov.copy()
    for i in np.flatnonzero((total > 0).any(axis=0)):
        told = np.flatnonzero(total[:, i] > 0)
        its = cov[told]
        gain = its[:, :, i] / (its[:, i, i] + 1.0 / total[told, i])[:, None]
        level[told] += gain * (observed[told, i] - level[told, i])[:, None]
        cov[told] = its - gain[:, :, None] * its[:, None, i, :]
    _wait(view, weight, weight_var, level, cov)
    inside = 1.0 / noise
    before = spread2[:, None] + weight_var
    own_var = 1.0 / (sums(of_stage, inside, shape) + 1.0 / before)
    own = sums(of_stage, inside * (y - level[row, count]), shape) * own_var
    new = np.flatnonzero(~prior.informed)
    if len(new):
        own[new], own_var[new] = of_stages_alike(
            view.tasks[new], own[new], own_var[new], before[new]
        )
    return level, cov, own, own_var, 1.0 - own_var / before, np.sqrt(spread2)


def _of_level(cov: Floats, present: Ints, learnt: Floats) -> Floats:
    """[B, W] variance that not knowing l makes. The deviation of a stage that was seen is what its
    tasks took less l: for a share ``learnt`` [B] of the work left, an error of l at the count that
    was seen is made good by it, and only what l differs by from there remains.
    """
    rows = np.arange(len(present))
    there, towards = cov[rows, present, present], cov[rows, present]
    variance = np.diagonal(cov, axis1=1, axis2=2) - 2.0 * learnt[:, None] * towards
    return np.asarray(np.maximum(variance + (learnt**2 * there)[:, None], 0.0))


def _wait(view: View, weight: Floats, weight_var: Floats, level: Floats, cov: Floats) -> None:
    """Where no task has ended yet, those under way tell that they take longer than they have run:
    the first two moments of a normal distribution cut off below (Johnson, Kotz and Balakrishnan,
    "Continuous Univariate Distributions", 1994, section 13.10.1). Changes ``level`` and ``cov``.
    """
    began = np.where(view.active > 0, view.began_s, np.inf)
    ran = view.now - began.min(axis=1)
    rows = np.flatnonzero((view.complete.sum(axis=1) == 0) & (ran > _WAITED_S))
    if not len(rows):
        return
    ran, stage = ran[rows], began[rows].argmin(axis=1)
    at = np.clip(view.serving[rows], 1, level.shape[1]) - 1
    sigma = np.sqrt(cov[rows, at, at] + weight_var[rows, stage] + TASK_SIGMA**2)
    cut = (np.log(ran) - weight[rows, stage] - level[rows, at]) / sigma
    above = np.array([0.5 * math.erfc(one / math.sqrt(2.0)) for one in cut])
    density = np.exp(-0.5 * cut**2) / math.sqrt(2.0 * math.pi)
    mean = np.where(above > 1e-12, density / np.maximum(above, 1e-12), cut)
    gain = cov[rows, at] / sigma[:, None]
    level[rows] += gain * mean[:, None]
    less = np.clip(mean * (mean - cut), 0.0, 0.98)
    cov[rows] -= less[:, None, None] * gain[:, :, None] * gain[:, None, :]


def _spread2(y_sum: Floats, n: Floats, prior: Prior) -> Floats:
    """[B] variance of e: the prior's, drawn to how the stages seen differ.

    :param y_sum: [B, S] sum over a stage's tasks of y less l as believed before the run, so that
        tasks at other worker counts do not make a difference; ``n``: [B, S] how many.
    """
    seen = n > 0
    stage_y = np.divide(y_sum, n, out=np.zeros_like(n), where=seen)
    count = seen.sum(axis=1)
    mean = stage_y.sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(seen, stage_y - mean[:, None], 0.0) ** 2).sum(axis=1)
    known = np.where(prior.informed, SPREAD_WEIGHT, 1.0)
    pooled = (known * prior.spread**2 + squares) / (known + np.maximum(count - 1, 0))
    return np.asarray(pooled + 1e-4)


def _with_start_up(at: Floats, view: View, start_delay_s: float) -> Floats:
    """[B, W] time left at every target, with the start-up of workers that do not serve yet."""
    counts = at.shape[1]
    targets = np.arange(1, counts + 1)[None, :]
    serving = view.serving[:, None]
    delay = np.where(targets > view.workers[:, None], 1.0, 0.5) * start_delay_s
    now = np.take_along_axis(at, np.clip(serving, 1, counts) - 1, 1)
    now = np.where(serving > 0, now, np.inf)
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(now), np.minimum(delay / np.maximum(now, 1e-9), 1.0), 0.0)
        later = np.where(share < 1.0, delay + (1.0 - share) * at, np.where(now < np.inf, now, 0.0))
    return np.asarray(np.where(targets > serving, later, at), dtype=np.float64)


def _fit(array: Floats, stages: int) -> Floats:
    """The first ``stages`` columns, filled with zeros where there are fewer."""
    if array.shape[1] >= stages:
        return array[:, :stages]
    return np.pad(array, ((0, 0), (0, stages - array.shape[1])))
