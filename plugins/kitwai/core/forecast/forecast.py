"""The forecast: the time that is left of an application at each worker count, as a distribution.

The model. With n workers serving, a task of stage s takes exp(l_n + h_s + e_s) seconds on average.
``l`` is the level at each worker count: work and slowdown together. ``h`` is the known weight of
the stage. ``e`` is the stage's deviation from that weight.

Before the run ``l`` is Gaussian. Its mean and covariance come from the past runs of the family
(`kitwai.core.forecast.past_runs`), or from `kitwai.core.forecast.prior.unknown`. Every finished
task then tells of its stage, and of ``l`` at the count at which it ran. Through the covariance it
tells of the other counts too (`kitwai.core.forecast.task_times`).

All arrays have a leading batch axis B, so the simulator and the live cluster call the same
function. W is the number of worker counts; index i stands for i + 1 workers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.forecast.stage_times import cells, gaps, gaps_left, makespan, makespan_of
from kitwai.core.forecast.stragglers import learn_tails, tails_left
from kitwai.core.forecast.task_times import learn_levels
from kitwai.core.forecast.warm_up import learn_warm_up, warmed, without_first

FORECAST_SIGMA = 0.005
"""Sigma of the log of the time left when all rates and tails are known."""

TROUBLED = 0.1
"""Extra sigma of the log of the time left of a run with stragglers.

Such runs have other troubles too, such as hosts that fail."""

MOST_DONE = 0.9
"""Most of a task under way that counts as done, however long it has run."""

SHUFFLE_PARTITIONS = 200
"""Spark's default of spark.sql.shuffle.partitions."""

SHUFFLE_WEIGHT = (-2.5, 1.2)
"""Log of the time of a shuffle partition's task over the time of another task of the application:
mean and sigma, for unknown families. Spark makes so many partitions however little data it has."""

MORE_STAGES = (-0.5, 1.0)
"""Log of the share of a stage that no run of the family had, over the share of a known stage: mean
and sigma. With these an added stage is expected to take as long as a known stage on average."""

MORE_JOBS = 1.0
"""Jobs still to come, and their sigma, for each job that has followed another.

Only for an application of an unknown family. After a single job no other job is expected. The
longer a series has lasted, the longer it will go on: what is not known has no scale."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The time left of B applications, if n workers were held from now on.

    ============ ========= ================================================================
    field        shape     meaning
    ============ ========= ================================================================
    left_s       [B, W]    median of the time left in seconds
    sigma        [B, W]    standard deviation of its log
    progress     [B]       share of the expected work that is done, 0..1
    tasks_left   [B]       tasks left of the stages shown or planned
    task_s       [B]       mean time of these tasks in seconds at the present count
    level        [B, W]    mean of l after the run so far
    cov          [B, W, W] covariance of l
    tail         [B]       mean calm tail of a stage in mean task times
    tail_sigma   [B]       its standard deviation
    straggling   [B]       chance that the run has stragglers
    spread       [B]       sigma of e
    surprise     [B]       how far the run has moved l at the present count
    stages_ended [B]       number of ended stages
    known        [B]       whether there is work to forecast
    warm_up_s    [B]       seconds that a slot's first task takes longer
    told         [B]       whether a finished task or a past run tells of the application; else
                           the forecast says what applications in general need
    ============ ========= ================================================================
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
    warm_up_s: Floats


def forecast(view: View, prior: Prior, start_delay_s: float) -> Forecast:
    """The forecast from what the view shows and the prior knows.

    A target above the serving workers helps only after ``start_delay_s``, or after half of it for
    workers that are starting already. Until then the serving workers work alone.
    """
    counts = prior.level.shape[1]
    stages = view.tasks.shape[1]
    shown = view.tasks > 0
    planned = _fit(prior.tasks, stages)
    tasks = np.where(shown, view.tasks, planned)
    # In an unknown family, a stage with Spark's default count of partitions is a shuffle.
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
    warm_up_s = learn_warm_up(finished, prior, tasks.shape)
    level, cov, own, own_var, gain, spread = learn_levels(
        warmed(view, warm_up_s),
        prior,
        without_first(finished, warm_up_s, tasks.shape),
        weight,
        weight_var,
    )
    task_s = np.exp(weight + own + 0.5 * np.minimum(own_var, 1.0))

    slots: Floats = np.arange(1.0, counts + 1.0) * view.cores[:, None].astype(np.float64)
    loss = np.exp(prior.loss)
    present = np.clip(view.serving, 1, counts)[:, None] - 1
    scale = np.exp(np.take_along_axis(level, present, 1)[:, 0])
    gap_s, here_s = gaps(view), task_s * scale[:, None]
    done = _done(view, here_s, warm_up_s)
    left = np.maximum(tasks - view.complete - done * view.active, 0.0)
    left = np.where(view.ended, 0.0, left)
    tails = learn_tails(view, finished, gap_s, slots, loss, here_s, prior.informed)
    waves = makespan(left, slots)
    rate = np.exp(level)
    waves = _last_tasks(waves, view, tasks, done, scale[:, None] / (rate * loss))
    # Stages that overlap fill each other's last waves, so tails may lie below zero. They save no
    # more than the slots' idle time.
    late, late_var = tails_left(tails, left, slots, task_s)
    at = (task_s[:, None, :] @ waves)[:, 0] * loss
    full = np.minimum((left * task_s).sum(axis=1)[:, None] / slots, at)
    at = np.maximum(at + late, full)
    at = at * rate + gaps_left(view, gap_s, _fit(prior.gap_s, stages), left)[:, None]
    coming_s, coming = _jobs_to_come(view, prior, task_s, slots, rate, gap_s)
    at += coming_s
    left_s = _with_start_up(at, view, start_delay_s, warm_up_s)
    work = left * task_s
    total = work.sum(axis=1)
    share = np.divide(work, total[:, None], out=np.zeros_like(work), where=total[:, None] > 0)
    of_stages = (share**2 * own_var).sum(axis=1)
    of_tails = late_var * rate**2 / np.maximum(at, 1e-3) ** 2
    of_tails += (coming_s / np.maximum(at, 1e-3)) ** 2
    of_tails += (tails.straggling * TROUBLED**2)[:, None]
    of_level = _of_level(cov, present[:, 0], (share * gain).sum(axis=1))
    sigma = of_level + of_stages[:, None] + of_tails
    sigma = np.sqrt(np.minimum(sigma, 4.0) + FORECAST_SIGMA**2)
    worked = np.where(view.ended, tasks, np.maximum(tasks - left, 0.0))
    worked = (worked * task_s).sum(axis=1)
    whole = (worked + total) * (1.0 + coming)
    count = left.sum(axis=1)
    return Forecast(
        left_s=left_s,
        sigma=sigma,
        progress=np.divide(worked, whole, out=np.zeros_like(worked), where=whole > 0),
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
        warm_up_s=warm_up_s,
    )


def _done(view: View, here_s: Floats, warm_up_s: Floats) -> Floats:
    """[B, S] how much of a task under way is done, on average, by how long the tasks have run.

    It is below 0 while first tasks warm up. Half is done where no age is known.

    :param here_s: [B, S] mean task times in seconds at the present count.
    """
    worked_s = view.age_s - warm_up_s[:, None] * view.active_first
    task_s = np.maximum(view.active * here_s, 1e-6)
    return np.where(np.isnan(view.age_s), 0.5, np.clip(worked_s / task_s, -4.0, MOST_DONE))


def _last_tasks(waves: Floats, view: View, tasks: Floats, done: Floats, here: Floats) -> Floats:
    """``waves`` [B, S, W], corrected for stages whose tasks are all under way.

    No worker shortens such a stage, and a worker that leaves ends its tasks first.

    :param here: [B, W] mean task times at the present count over those at every count.
    """
    last = (view.active > 0) & (view.complete + view.active >= tasks) & ~np.isnan(view.age_s)
    if not last.any():
        return waves
    longest = makespan_of(np.maximum(view.active, 1.0), np.maximum(view.active, 1.0))
    remaining = ((1.0 - done) * longest)[:, :, None] * here[:, None, :]
    return np.where(last[:, :, None], remaining, waves)


def _jobs_to_come(
    view: View, prior: Prior, task_s: Floats, slots: Floats, rate: Floats, gap_s: Floats
) -> tuple[Floats, Floats]:
    """The jobs to come. Their stages are as long as the stages shown are on geometric average: one
    long stage says little of others. 0 where none is expected.

    :returns: [B, W] their seconds at every count, and [B] their share of the work shown.
    """
    coming_s, share = np.zeros_like(rate), np.zeros(len(rate))
    rows = np.flatnonzero(~prior.informed & (view.jobs > 1))
    if not len(rows):
        return coming_s, share
    shown = view.tasks[rows] > 0
    work = task_s[rows] * view.tasks[rows]
    each_s = task_s[rows, :, None] * makespan(view.tasks[rows].astype(np.float64), slots[rows])
    jobs = view.jobs[rows]
    stages = MORE_JOBS * (jobs - 1) / jobs * shown.sum(axis=1)
    # The start of the application is no gap between its stages.
    between_s = np.where(np.arange(gap_s.shape[1]) > 0, gap_s[rows], 0.0)
    usual_s = _geometric(each_s + between_s[:, :, None], shown)
    coming_s[rows] = stages[:, None] * usual_s * rate[rows]
    usual_work = _geometric(work[:, :, None], shown)[:, 0]
    share[rows] = stages * usual_work / np.maximum(work.sum(axis=1), 1e-9)
    return coming_s, share


def _geometric(values: Floats, shown: Bools) -> Floats:
    """[B, W] geometric mean of the values [B, S, W] over the stages that are shown [B, S]."""
    logs = np.where(shown[:, :, None], np.log(np.maximum(values, 1e-9)), 0.0)
    return np.asarray(np.exp(logs.sum(axis=1) / np.maximum(shown.sum(axis=1), 1)[:, None]))


def _of_level(cov: Floats, present: Ints, learnt: Floats) -> Floats:
    """[B, W] variance of the log of the time left that comes from l.

    The deviation of a stage that was seen is the time of its tasks less l. So for a share
    ``learnt`` [B] of the work left, the deviation makes up for an error of l at the present count.
    There only the difference of l between the two counts is uncertain.
    """
    rows = np.arange(len(present))
    there, towards = cov[rows, present, present], cov[rows, present]
    variance = np.diagonal(cov, axis1=1, axis2=2) - 2.0 * learnt[:, None] * towards
    return np.asarray(np.maximum(variance + (learnt**2 * there)[:, None], 0.0))


def _with_start_up(at: Floats, view: View, start_delay_s: float, warm_up_s: Floats) -> Floats:
    """[B, W] seconds left at every target, with the start-up of workers that do not serve yet.

    Their slots warm up after it.
    """
    counts = at.shape[1]
    targets = np.arange(1, counts + 1)[None, :]
    serving = view.serving[:, None]
    delay = np.where(targets > view.workers[:, None], 1.0, 0.5) * start_delay_s
    delay += warm_up_s[:, None]
    now = np.take_along_axis(at, np.clip(serving, 1, counts) - 1, 1)
    now = np.where(serving > 0, now, np.inf)
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(now), np.minimum(delay / np.maximum(now, 1e-9), 1.0), 0.0)
        later = np.where(share < 1.0, delay + (1.0 - share) * at, np.where(now < np.inf, now, 0.0))
    return np.asarray(np.where(targets > serving, later, at), dtype=np.float64)


def _fit(array: Floats, stages: int) -> Floats:
    """The first ``stages`` columns of the array. Missing columns are zero."""
    if array.shape[1] >= stages:
        return array[:, :stages]
    return np.pad(array, ((0, 0), (0, stages - array.shape[1])))
