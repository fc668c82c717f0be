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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.view import Bools, Floats, Ints, View

TASK_SIGMA = 0.25
"""Sigma of the log of one task's time within its stage, assumed."""

CENSORED = 0.5
"""While tasks of a stage run, the finished ones are the short ones: extra sigma of their mean when
all started ones still run."""

FORECAST_SIGMA = 0.005
"""Sigma of the log of a forecast whose rates and tails are all known."""

STAGE_TAIL = 0.3
"""Sigma of the end of a stage in mean task times: when the last tasks end is chance."""

TAIL_SIGMA = 0.5
"""Sigma of the mean tail before the run, in mean task times a stage (`_tail`)."""

SPREAD_WEIGHT = 2.0
"""Weight of a known family's deviation of stages, in stages seen; of an unknown one's: 1."""

GAP_WEIGHT = 0.5
"""Weight of the driver times known before, in driver times seen."""

_WAVE_SIGMA = 0.2
_UNKNOWN_STAGES = 0.7
_LEVEL = (float(np.log(3.0)), 2.0)
_SLOPE = (0.1, 0.35)
_BEND, _BEND_LENGTH = 0.2, 0.5


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

        return cls(*(filled(name) for name in cls.__slots__))


def unknown(rows: int, counts: int, stages: int) -> Prior:
    """Nothing is known: tasks take about 3 s (within a factor of 7), and work grows slowly with the
    worker count, n^0.1, give or take n^0.35 and a bend. Choices of this project, wide enough for
    the curves of `kitwai.sim.synthetic`.
    """
    log_n = np.log(np.arange(1.0, counts + 1.0))
    cov = _LEVEL[1] ** 2 + _SLOPE[1] ** 2 * np.outer(log_n, log_n)
    cov += _BEND**2 * np.exp(-0.5 * ((log_n[:, None] - log_n) / _BEND_LENGTH) ** 2)
    return Prior(
        level=np.tile(_LEVEL[0] + _SLOPE[0] * log_n, (rows, 1)),
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
    ``known`` [B]: whether anything tells how long the rest takes.
    """

    left_s: Floats
    sigma: Floats
    progress: Floats
    tasks_left: Floats
    task_s: Floats
    level: Floats
    cov: Floats
    known: Bools


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
    weight = np.where(
        prior.informed[:, None], _fit(prior.share, stages) - np.log(np.maximum(tasks, 1.0)), 0.0
    )

    level, cov, own, own_var = _learn(view, prior, weight)

    left = np.maximum(tasks - view.complete - 0.5 * view.active, 0.0)
    left = np.where(view.ended, 0.0, left)
    task_s = np.exp(weight + own + 0.5 * np.minimum(own_var, 1.0))

    targets = np.arange(1.0, counts + 1.0)
    slots = targets * view.cores[:, None]
    loss = np.exp(prior.loss)
    present = np.clip(view.serving, 1, counts)[:, None] - 1
    scale = np.exp(np.take_along_axis(level, present, 1)[:, 0])
    tail, tail_var = _tail(view, slots, loss, task_s * scale[:, None])
    waves = makespan(left, slots)
    busy = left > 0
    # A tail is as long as some of the stage's tasks, at any count.
    tails = np.where(busy, np.minimum(task_s, task_s.max(axis=1, keepdims=True)), 0.0)
    rate = np.exp(level)
    at = (waves * task_s[:, :, None]).sum(axis=1) * loss
    at += np.maximum(tail, 0.0)[:, None] * tails.sum(axis=1)[:, None]
    at = at * rate + _gaps_left(view, prior, left)[:, None]

    left_s = _with_start_up(at, view, start_delay_s)
    work = left * task_s
    total = work.sum(axis=1)
    share = np.divide(work, total[:, None], out=np.zeros_like(work), where=total[:, None] > 0)
    of_stages = (share**2 * own_var).sum(axis=1)
    noise = STAGE_TAIL * (1.0 + np.maximum(tail, 0.0))
    of_tails = (noise**2 * (tails**2).sum(axis=1) + tail_var * tails.sum(axis=1) ** 2)[:, None]
    of_tails = of_tails * rate**2 / np.maximum(at, 1e-3) ** 2
    sigma = np.diagonal(cov, axis1=1, axis2=2) + of_stages[:, None] + of_tails
    sigma = np.sqrt(np.minimum(sigma, 4.0) + FORECAST_SIGMA**2)
    done = (np.where(view.ended, tasks, tasks - left) * task_s).sum(axis=1)
    count = left.sum(axis=1)
    finished = view.complete.sum(axis=1) > 0
    return Forecast(
        left_s=left_s,
        sigma=sigma,
        progress=np.divide(done, done + total, out=np.zeros_like(done), where=done + total > 0),
        tasks_left=count,
        task_s=np.divide(total, count, out=np.zeros_like(total), where=count > 0) * scale,
        level=level,
        cov=cov,
        known=(count > 0) & (finished | prior.informed),
    )


def makespan(tasks: Floats, slots: Floats) -> Floats:
    """Time of a stage's tasks on some slots, in mean task times.

    Full waves, then a last one: it starts when the slots that it needs are free (task times vary by
    `_WAVE_SIGMA`, so some are free early), and ends with the longest of its tasks.

    :param tasks: [B, S]; ``slots``: [B, W].
    :returns: [B, S, W], 0 where there are no tasks.
    """
    k, m = tasks[:, :, None], slots[:, None, :]
    ratio = k / m
    waves = np.maximum(np.ceil(ratio - 1e-9) - 1.0, 0.0)
    part = np.clip(ratio - waves, 0.03, 0.97)
    spread = _WAVE_SIGMA * np.sqrt(waves)
    # The logistic quantile stands in for the normal one.
    begins = waves + 0.55 * spread * np.log(part / (1.0 - part))
    longest = 1.0 + 0.7 * _WAVE_SIGMA * np.sqrt(2.0 * np.log(np.maximum(part * m, 1.0)))
    time = np.maximum(begins, ratio - 0.5) + longest
    return np.asarray(np.where(k > 0, np.where(waves > 0, time, np.minimum(k, 1.0) * longest), 0.0))


def _tail(
    view: View, slots: Floats, loss: Floats, task_s: Floats
) -> tuple[Floats, Floats]:
    """How much longer stages last than their tasks and waves explain, in mean task times a stage:
    posterior mean and variance, [B]. Stragglers, lost workers and late starts make it.
    """
    counts = slots.shape[1]
    n, time = view.cell_n[:, :, 1 : counts + 1], view.cell_s[:, :, 1 : counts + 1]
    ended = view.ended & (view.complete > 0)
    last = np.where(ended, view.ended_s, 0.0).max(axis=1)
    last = np.minimum(last, view.now)
    began = np.minimum(view.began_s, view.now[:, None])
    # Stages under way count by the part of their time that lies before the last end.
    part = np.clip(
        (last[:, None] - began) / np.maximum(view.now[:, None] - began, 1e-9), 0.0, 1.0
    )
    part = np.where(ended, 1.0, np.where(view.active + view.complete > 0, part, 0.0))
    tasks = np.where(ended, view.complete, 0)
    ideal = time / slots[:, None, :]
    packed = tasks[:, :, None] / slots[:, None, :]
    waves = makespan(tasks.astype(np.float64), slots)
    stretch = np.divide(waves, packed, out=np.ones_like(waves), where=packed > 0)
    explained = (ideal * stretch * loss[:, None, :]).sum(axis=2) * part
    idle = np.where(began < last[:, None], _gaps(view), 0.0).sum(axis=1)
    over = last - idle - explained.sum(axis=1)
    mean_s = np.divide(
        time.sum(axis=2), n.sum(axis=2), out=np.zeros(ended.shape), where=n.sum(axis=2) > 0
    )
    per_tail = np.where(ended, mean_s, 0.0).sum(axis=1)
    # The stages' weight: a sum of tails of very unequal stages tells as much as its longest.
    longest = np.where(ended, mean_s, 0.0).max(axis=1)
    stages = np.divide(per_tail, longest, out=np.zeros_like(per_tail), where=longest > 0)
    seen = np.divide(over, per_tail, out=np.zeros_like(over), where=per_tail > 0)
    spread2 = (STAGE_TAIL * (1.0 + np.maximum(seen, 0.0))) ** 2
    error = np.divide(spread2, stages, out=np.full_like(stages, np.inf), where=stages > 0)
    # What stages under way have used is known to about half a task.
    under_way = np.where((part > 0) & ~ended, task_s, 0.0).max(axis=1)
    error += (0.5 * np.divide(under_way, per_tail, out=np.zeros_like(over), where=per_tail > 0)) ** 2
    gain = TAIL_SIGMA**2 / (TAIL_SIGMA**2 + error)
    return gain * seen, TAIL_SIGMA**2 * (1.0 - gain)


def _gaps(view: View) -> Floats:
    """[B, S] seconds in which no stage before had tasks left and this one had not begun; 0 where
    it has not begun.
    """
    ended = np.where(np.isfinite(view.ended_s), view.ended_s, 0.0)
    before = np.maximum.accumulate(ended, axis=1)
    before = np.concatenate([np.zeros((len(before), 1)), before[:, :-1]], axis=1)
    gap = np.where(np.isfinite(view.began_s), view.began_s - before, 0.0)
    return np.maximum(gap, 0.0)


def _gaps_left(view: View, prior: Prior, left: Floats) -> Floats:
    """[B] driver time before the stages that have not begun: the prior's, drawn to what the
    stages so far had.
    """
    begun = np.isfinite(view.began_s)
    coming = (left > 0) & ~begun
    planned = np.where(coming, _fit(prior.gap_s, left.shape[1]), 0.0).sum(axis=1)
    count = begun.sum(axis=1)
    seen = _gaps(view).sum(axis=1) / np.maximum(count, 1)
    gain = count / (count + GAP_WEIGHT)
    return np.asarray((1.0 - gain) * planned + gain * seen * coming.sum(axis=1))


def _learn(view: View, prior: Prior, weight: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Posterior of l, [B, W] and [B, W, W], and of e: mean and variance, [B, S]."""
    counts = prior.level.shape[1]
    n = view.cell_n[:, :, 1 : counts + 1]
    seen = n > 0
    mean_s = np.divide(view.cell_s[:, :, 1 : counts + 1], n, out=np.ones_like(n), where=seen)
    y = np.log(np.maximum(mean_s, 1e-6)) - weight[:, :, None]
    started = view.active + view.complete
    running = np.divide(
        view.active, started, out=np.zeros(started.shape), where=started > 0
    )
    noise = TASK_SIGMA**2 / np.maximum(n, 1.0) + (CENSORED * running[:, :, None]) ** 2
    spread2 = _spread2(y, n, prior)
    precision = np.where(seen, 1.0 / (noise + spread2[:, None, None]), 0.0)
    total = precision.sum(axis=1)
    observed = np.divide(
        (precision * y).sum(axis=1), total, out=np.zeros_like(total), where=total > 0
    )
    level, cov = prior.level.copy(), prior.cov.copy()
    for i in np.flatnonzero((total > 0).any(axis=0)):
        error = np.where(total[:, i] > 0, 1.0 / np.maximum(total[:, i], 1e-12), np.inf)
        gain = cov[:, :, i] / (cov[:, i, i] + error)[:, None]
        level += gain * (observed[:, i] - level[:, i])[:, None]
        cov -= gain[:, :, None] * cov[:, None, i, :]
    inside = np.where(seen, 1.0 / noise, 0.0)
    weight_sum = inside.sum(axis=2) + 1.0 / spread2[:, None]
    own = (inside * (y - level[:, None, :])).sum(axis=2) / weight_sum
    return level, cov, own, 1.0 / weight_sum


def _spread2(y: Floats, n: Floats, prior: Prior) -> Floats:
    """[B] variance of e: the prior's, drawn to how the stages seen differ."""
    cells = n.sum(axis=2)
    seen = cells > 0
    stage_y = np.divide((y * n).sum(axis=2), cells, out=np.zeros_like(cells), where=seen)
    count = seen.sum(axis=1)
    mean = stage_y.sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(seen, stage_y - mean[:, None], 0.0) ** 2).sum(axis=1)
    known = np.where(prior.informed, SPREAD_WEIGHT, 1.0)
    pooled = (known * prior.spread**2 + squares) / (known + np.maximum(count - 1, 0))
    return pooled + 1e-4


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
