"""Learns task times from a run's finished tasks: the level l at every worker count, and the
deviation e of every stage. `kitwai.core.forecast.forecast` describes the model.
"""

from __future__ import annotations

import math

import numpy as np

from kitwai.core.forecast.arrays import Floats, Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.forecast.stage_times import Cells, of_stages_alike, sums

TASK_SIGMA = 0.2
"""Sigma of the log of one task's time within its stage. It is assumed, not learnt."""

CENSORED = 0.5
"""Extra sigma of the mean time of a stage's finished tasks when all its started tasks still run.

While tasks of a stage run, the finished tasks are the short tasks."""

SPREAD_WEIGHT = 2.0
"""Weight of a known family's spread of stages, in stages seen. An unknown family's has weight 1."""

SURPRISE = 3.0
"""A stage that differs by more than so many sigmas is of another kind than the stages before.

Its variance is then raised until its tasks, or the wait for them, are a surprise of only so many
sigmas. Without this, a normal distribution would rather doubt the tasks that are seen."""

_WAITED_S = 0.5

_FAR = 5.0
"""From so many sigmas on, the normal distribution's tail is computed as a continued fraction."""


def learn_levels(
    view: View, prior: Prior, finished: Cells, weight: Floats, weight_var: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """What the finished tasks, and the tasks under way, tell of l and of e.

    :param finished: `kitwai.core.forecast.stage_times.cells`.
    :param weight: [B, S] mean of h; ``weight_var``: [B, S] its variance.
    :returns: of l the mean [B, W] and the covariance [B, W, W]; of e the mean, the variance and the
        share that has been learnt (0..1), each [B, S]; the sigma of e [B].
    """
    shape = weight.shape
    row, stage, tasks = finished.row, finished.stage, finished.tasks
    of_stage = (row, stage)
    y = np.log(np.maximum(finished.run_s / tasks, 1e-6)) - weight[row, stage]
    active, complete = view.active[row, stage], view.complete[row, stage]
    # Tasks of a lost worker run again, so fewer tasks may be complete than have finished.
    running = active / np.maximum(active + complete, 1)
    noise = TASK_SIGMA**2 / tasks + (CENSORED * running) ** 2 + finished.doubt**2
    # Only ended stages tell how stages differ: the first tasks that finish are the short tasks.
    whole = np.where(view.ended[row, stage], tasks, 0.0)
    beyond = y - prior.level[row, finished.count]
    spread2 = _spread2(sums(of_stage, beyond * whole, shape), sums(of_stage, whole, shape), prior)
    before = spread2[:, None] + weight_var
    level, cov = _levels(prior, finished, y, noise, before)
    _wait(view, weight, weight_var, level, cov)
    inside = 1.0 / noise
    told = sums(of_stage, inside, shape)
    beyond_level = sums(of_stage, inside * (y - level[row, finished.count]), shape)
    before = np.maximum(before, (beyond_level / np.maximum(told, 1e-9) / SURPRISE) ** 2)
    own_var = 1.0 / (told + 1.0 / before)
    own = beyond_level * own_var
    new = np.flatnonzero(~prior.informed)
    if len(new):
        own[new], own_var[new] = of_stages_alike(
            view.tasks[new], own[new], own_var[new], before[new]
        )
    _wait_for_stages(view, weight, level, cov, own, own_var)
    # After a surprise a deviation may be less known than before any task of its stage.
    learnt = np.maximum(1.0 - own_var / before, 0.0)
    return level, cov, own, own_var, learnt, np.sqrt(spread2)


def _levels(
    prior: Prior, finished: Cells, y: Floats, noise: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Mean [B, W] and covariance [B, W, W] of l after the finished tasks.

    Each count gives one scalar update, as if a stage had another deviation at every count. Rows in
    which that would mislead are updated by `_together`.

    :param y: [C] what each cell tells of l; ``noise``: [C] its variance; ``before``: [B, S]
        variance of the stages' deviation.
    """
    row, count = finished.row, finished.count
    precision = 1.0 / (noise + before[row, finished.stage])
    shape = prior.level.shape
    total = sums((row, count), precision, shape)
    observed = sums((row, count), precision * y, shape)
    observed = np.divide(observed, total, out=np.zeros_like(total), where=total > 0)
    level, cov = prior.level.copy(), prior.cov.copy()
    together = _at_several_counts(prior, finished, before.shape)
    total[together] = 0.0
    for i in np.flatnonzero((total > 0).any(axis=0)):
        rows = np.flatnonzero(total[:, i] > 0)
        before_i = cov[rows]
        gain = before_i[:, :, i] / (before_i[:, i, i] + 1.0 / total[rows, i])[:, None]
        level[rows] += gain * (observed[rows, i] - level[rows, i])[:, None]
        cov[rows] = before_i - gain[:, :, None] * before_i[:, None, i, :]
    if len(together):
        level[together], cov[together] = _together(prior, together, finished, y, noise, before)
    return level, cov


def _at_several_counts(prior: Prior, finished: Cells, shape: tuple[int, ...]) -> Ints:
    """The rows of unknown families in which a stage's tasks ran at more than one count.

    There a stage of long tasks would make the count to which the workers grew seem slow. Stages of
    known families keep a deviation for every count. Where such a stage differs from its plan, it is
    mostly its scaling that differs.
    """
    # Each cell is one count of one stage.
    cell_count = np.ones(len(finished.row))
    several = sums((finished.row, finished.stage), cell_count, shape).max(axis=1, initial=0.0) > 1
    return np.flatnonzero(several & ~prior.informed)


def _together(
    prior: Prior, rows: Ints, finished: Cells, y: Floats, noise: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Mean and covariance of l for ``rows``, with one deviation of a stage at all counts.

    With e_s integrated out, the observations of a stage have covariance D + v 11', whose inverse is
    D^-1 - D^-1 11' D^-1 v / (1 + v 1'D^-1 1) (Sherman and Morrison, 1950).
    """
    counts = prior.level.shape[1]
    place = np.full(len(prior.level), -1)
    place[rows] = np.arange(len(rows))
    inside = np.flatnonzero(place[finished.row] >= 0)
    row, stage = place[finished.row[inside]], finished.stage[inside]
    count = finished.count[inside]
    weight, y = 1.0 / noise[inside], y[inside]
    # [B, S, W]: D^-1 and D^-1 y by stage and count.
    shape = (len(rows) * before.shape[1], counts)
    at = (row * before.shape[1] + stage, count)
    own = sums(at, weight, shape).reshape(len(rows), -1, counts)
    own_y = sums(at, weight * y, shape).reshape(own.shape)
    total, total_y = own.sum(axis=2), own_y.sum(axis=2)
    v = before[rows]
    shared = v / (1.0 + v * total)
    told = -np.einsum("bsi,bs,bsj->bij", own, shared, own)
    told[:, np.arange(counts), np.arange(counts)] += own.sum(axis=1)
    told_y = own_y.sum(axis=1) - np.einsum("bsi,bs->bi", own, shared * total_y)
    level, cov = prior.level[rows], prior.cov[rows]
    after = np.linalg.solve(np.eye(counts) + cov @ told, cov)
    moved = told_y - np.einsum("bij,bj->bi", told, level)
    return level + np.einsum("bij,bj->bi", after, moved), after


def _wait(view: View, weight: Floats, weight_var: Floats, level: Floats, cov: Floats) -> None:
    """Learn from the wait for the first task. Changes ``level`` and ``cov``.

    Where no task has ended yet, the tasks under way take longer than they have run so far.
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
    mean, less = truncated(cut)
    gain = cov[rows, at] / sigma[:, None]
    level[rows] += gain * mean[:, None]
    cov[rows] -= less[:, None, None] * gain[:, :, None] * gain[:, None, :]


def _wait_for_stages(
    view: View, weight: Floats, level: Floats, cov: Floats, own: Floats, own_var: Floats
) -> None:
    """Learn from the wait for a stage's first task. Changes ``own`` and ``own_var``.

    Where tasks of other stages have ended, the stage's tasks under way tell of the stage itself.
    """
    ran = view.now[:, None] - view.began_s
    waited = (view.active > 0) & (view.complete == 0) & (ran > _WAITED_S)
    waited &= (view.complete.sum(axis=1) > 0)[:, None]
    row, stage = np.nonzero(waited)
    if not len(row):
        return
    at = np.clip(view.serving[row], 1, level.shape[1]) - 1
    # The mean of several tasks is known better than the time of one task.
    noise = TASK_SIGMA**2 / view.active[row, stage]
    expected = weight[row, stage] + level[row, at] + own[row, stage]
    over = np.log(ran[row, stage]) - expected
    variance = np.maximum(own_var[row, stage], (np.maximum(over, 0.0) / SURPRISE) ** 2)
    sigma = np.sqrt(variance + cov[row, at, at] + noise)
    mean, less = truncated(over / sigma)
    gain = variance / sigma
    own[row, stage] += gain * mean
    own_var[row, stage] = variance - less * gain**2


def truncated(cut: Floats) -> tuple[Floats, Floats]:
    """Of a standard normal variable that lies above ``cut``: its mean, and 1 less its variance.

    Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", 1994, section 13.10.1.
    """
    above = np.array([0.5 * math.erfc(min(bound, _FAR) / math.sqrt(2.0)) for bound in cut])
    mean = np.exp(-0.5 * cut**2) / math.sqrt(2.0 * math.pi) / above
    far = np.maximum(cut, _FAR)
    # Mills' ratio, as Laplace's continued fraction.
    mean = np.where(cut > _FAR, far + 1.0 / (far + 2.0 / (far + 3.0 / (far + 4.0 / far))), mean)
    return mean, np.clip(mean * (mean - cut), 0.0, 0.98)


def _spread2(y_sum: Floats, n: Floats, prior: Prior) -> Floats:
    """[B] variance of e: the prior's variance, drawn to how much the stages of the run differ.

    :param y_sum: [B, S] sum of y less the prior's l over a stage's tasks. Without l, tasks at other
        worker counts would seem to differ. ``n``: [B, S] number of these tasks.
    """
    seen = n > 0
    stage_y = np.divide(y_sum, n, out=np.zeros_like(n), where=seen)
    count = seen.sum(axis=1)
    mean = stage_y.sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(seen, stage_y - mean[:, None], 0.0) ** 2).sum(axis=1)
    known = np.where(prior.informed, SPREAD_WEIGHT, 1.0)
    pooled = (known * prior.spread**2 + squares) / (known + np.maximum(count - 1, 0))
    return np.asarray(pooled + 1e-4)
