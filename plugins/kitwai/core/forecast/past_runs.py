"""Makes the prior of a family's next run from its past runs: work, and its scale-out curve.

The prior is a Gaussian-process regression over the announced inputs. One kernel serves all outputs:
the log of the total work at every worker count, the stages' shares, and the forecast's own loss.
The kernel has a linear part, since work grows as a power of the size. Its smooth part follows
bends and cliffs. Its scales are chosen by marginal likelihood (Rasmussen and Williams, "Gaussian
Processes for Machine Learning", 2006, sections 2.7 and 5.4). The errors of leaving one run out
give the covariance between the counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.forecast.prior import WARM_UP_S, WARM_UP_WEIGHT, Prior, unknown

RUN_SIGMA = 0.07
"""Sigma of a hidden factor on all work of a run: data differ, and machines are shared."""

KNOWN_WEIGHT = 10.0
"""How sure the warm-up is that past runs have shown, in first tasks seen."""

_FARTHEST = 30.0
"""An input that lies more standard deviations from the past runs counts as if it lay so far."""

_SAME_TASKS = 0.05
_MOST_MOVED = 16
_STAGE_SIGMA = 0.05
_ERROR_SIGMA = 0.05
_ERROR_WEIGHT = 2.0
_CONSTANT = 100.0
_LINEAR = (0.0, 1.0, 10.0)
_NOISE = (1e-3, 1e-2, 1e-1)
_SCALES = (0.5, 1.0, 2.0, 4.0, np.inf)
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One past run, with S stages and W worker counts.

    ``inputs``: the announced inputs; ``stage_work_s`` [S]: total task time of a stage in seconds;
    ``stage_tasks`` [S]: its tasks; ``gap_s`` [S]: driver time before it in seconds; ``level`` [W]:
    log of the total task time at each worker count; ``loss`` [W]: log of the run's time at that
    count over the time that the rates alone give (`kitwai.core.forecast.prior.Prior`); ``cores``:
    task slots a worker; ``app``: the run's application id; ``warm_up_s``: seconds that the first
    task on a slot took longer, None if the run does not tell; ``workers``: how many ran it, if its
    level at other counts is not known and stands here as if it were the same, else None.
    """

    inputs: Mapping[str, float]
    stage_work_s: Floats
    stage_tasks: Floats
    gap_s: Floats
    level: Floats
    loss: Floats
    cores: int = 2
    app: str = ""
    warm_up_s: float | None = None
    workers: float | None = None


def comparable(records: Sequence[Record], counts: int, cores: int) -> list[Record]:
    """Past runs that cover 1..``counts`` workers and were made on workers with ``cores`` cores."""
    return [run for run in records if len(run.level) >= counts and run.cores == cores]


def in_order(record: Record, shown: Sequence[float] | Floats) -> Record:
    """The past run with its stages in the order of the run that shows ``shown`` tasks by stage.

    Stages that Spark submits side by side, as adaptive execution does, come in another order from
    run to run. Two stages change places if each has as many tasks as the other's place shows; of
    the stages that differ, the first `_MOST_MOVED` are tried.
    """
    known = min(len(shown), len(record.stage_tasks))
    place = np.arange(len(record.stage_tasks))
    tasks = record.stage_tasks

    def fits(stage: int, at: int) -> bool:
        return abs(math.log(tasks[place[stage]] / max(shown[at], 1))) < _SAME_TASKS

    wrong = [at for at in range(known) if shown[at] > 0 and not fits(at, at)][:_MOST_MOVED]
    for number, at in enumerate(wrong):
        for other in wrong[number + 1 :]:
            if fits(other, at) and fits(at, other):
                place[[at, other]] = place[[other, at]]
                break
    if (place == np.arange(len(place))).all():
        return record
    # The driver's time falls before the same places, whichever stage comes there.
    return replace(record, stage_work_s=record.stage_work_s[place], stage_tasks=tasks[place])


def prior_of(
    records: Sequence[Record],
    inputs: Mapping[str, float],
    counts: int,
    stages: int,
    shown: Sequence[int] = (),
) -> Prior:
    """The prior (B = 1) of a run with these inputs.

    :param records: past runs of the family, `comparable` with ``counts``. Without any, the prior is
        `kitwai.core.forecast.prior.unknown`.
    :param stages: stages of that unknown prior. A known prior has the family's stages.
    :param shown: tasks of the run's stages that Spark has shown, in their order.
    """
    if not records:
        return unknown(1, counts, stages)
    shape = Counter(len(record.stage_tasks) for record in records).most_common(1)[0][0]
    like = [record for record in records if len(record.stage_tasks) == shape]
    newest = in_order(like[-1], shown)
    like = [*(in_order(record, newest.stage_tasks) for record in like[:-1]), newest]
    x, x_new = _features([record.inputs for record in like], inputs)
    x, points = _with_workers(x, x_new, [record.workers for record in like], counts)
    works = np.array([record.stage_work_s for record in like])
    shares = np.log(np.maximum(works / works.sum(axis=1, keepdims=True), 1e-6))
    levels = np.array([record.level[:counts] for record in like])
    losses = np.array([record.loss[:counts] for record in like])
    gaps = np.array([record.gap_s for record in like])
    tasks = np.log(np.array([record.stage_tasks for record in like]))
    gap = np.log1p(gaps.sum(axis=1, keepdims=True))
    outputs = np.concatenate([levels, losses, shares, tasks, gap], axis=1)
    means, errors, variances, errors_variance = _regress(x, points, outputs, counts)
    ends = [counts, 2 * counts, 2 * counts + shape, 2 * counts + 2 * shape]
    # The last point stands for the usual count.
    _, _, share, task, total_gap = np.split(means[-1], ends)
    level, loss = (np.diagonal(means[:, at : at + counts]) for at in (0, counts))
    # Driver time falls before the same stages in all runs, but its amount differs.
    usual = gaps.mean(axis=0)
    gap_s = np.expm1(np.maximum(total_gap[0], 0.0)) * usual / max(usual.sum(), 1e-9)
    total_error = errors[:, :counts] + errors[:, counts : 2 * counts]
    common = np.full((counts, counts), 0.7) + 0.3 * np.eye(counts)
    cov = (total_error.T / errors_variance) @ total_error + _ERROR_WEIGHT * _ERROR_SIGMA**2 * common
    sigma = np.sqrt(variances[:counts] / (len(like) + _ERROR_WEIGHT))
    cov *= sigma[:, None] * sigma
    share_error = errors[:, 2 * counts : 2 * counts + shape]
    weights = np.exp(share)
    spread = np.sqrt(
        ((share_error**2 * weights).sum(axis=1) / weights.sum()).mean() + _STAGE_SIGMA**2
    )
    warm_ups = [run.warm_up_s for run in records if run.warm_up_s is not None]
    return Prior(
        level=level[None],
        cov=(cov + RUN_SIGMA**2)[None],
        loss=loss[None],
        share=(share - np.log(weights.sum()))[None],
        spread=np.array([min(spread, 1.0)]),
        tasks=np.maximum(np.rint(np.exp(task)), 1.0)[None],
        gap_s=gap_s[None],
        warm_up_s=np.array([WARM_UP_S if not warm_ups else float(np.median(warm_ups))]),
        warm_up_weight=np.array([KNOWN_WEIGHT if warm_ups else WARM_UP_WEIGHT]),
        informed=np.ones(1, dtype=np.bool_),
    )


def _features(
    history: Sequence[Mapping[str, float]], inputs: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """The inputs that every run names, as standardised columns.

    Inputs that are positive in all runs count by their logs. A column that overflows is left out.

    :returns: [H, D] of the past runs, and [D] of the new run, cut at `_FARTHEST`.
    """
    names = [name for name in sorted(inputs) if all(name in run for run in history)]
    columns, new = [np.zeros(len(history))], [0.0]
    for name in names:
        values = np.array([*(run[name] for run in history), inputs[name]], dtype=np.float64)
        if (values > 0).all():
            values = np.log(values)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.ptp(values) < 1e-9:
                continue
            spread = values[:-1].std()
            # The effect of an input that never varied before is unknown.
            values = (values - values[:-1].mean()) / (spread if spread > 1e-9 else np.ptp(values))
        if not np.isfinite(values).all():
            continue
        columns.append(values[:-1])
        new.append(float(np.clip(values[-1], -_FARTHEST, _FARTHEST)))
    return np.stack(columns, axis=1), np.array(new)


def _with_workers(
    x: Floats, x_new: Floats, workers: Sequence[float | None], counts: int
) -> tuple[Floats, Floats]:
    """The features with the log of the worker count, if all past runs tell theirs.

    Contention and memory make the work depend on the count at which a run was made. Beyond the
    counts that were tried the work counts as at the nearest: a trend would promise too much.

    :param x: [H, D]; ``x_new``: [D]; ``workers``: [H].
    :returns: of the past runs [H, D or D + 1], and [counts + 1, D or D + 1] of the new run at each
        count and at the usual count.
    """
    points = np.tile(x_new, (counts + 1, 1))
    made = np.array([count for count in workers if count is not None])
    if len(made) < len(workers) or np.ptp(made) == 0:
        return x, points
    log = np.log(made)
    tried = np.clip(np.log(np.arange(1.0, counts + 1.0)), log.min(), log.max())
    new = np.append(tried, log.mean()) - log.mean()
    return np.c_[x, log - log.mean()], np.c_[points, new]


def _regress(
    x: Floats, points: Floats, outputs: Floats, counts: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Gaussian-process regression of O outputs of H past runs.

    :param x: [H, D]; ``points``: [M, D]; ``outputs``: [H, O], of which the first ``counts`` choose
        the kernel.
    :returns: predictions [M, O] at the points; errors [H, O] of leaving one run out; the variances
        [M] of the predictions and the variances [H] of the errors, in units of the outputs' scale.
    """
    centre = outputs.mean(axis=0)
    y = outputs - centre
    runs, inputs = x.shape

    def kernel(a: Floats, b: Floats, scales: Sequence[float], linear: float) -> Floats:
        weights = np.array([0.0 if np.isinf(s) else 1.0 / s**2 for s in scales])
        smooth = np.exp(-0.5 * ((a[:, None, :] - b[None, :, :]) ** 2 @ weights))
        return np.asarray(_CONSTANT + linear * (a @ b.T) + smooth)

    levels = y[:, :counts]

    def evidence(scales: Sequence[float], linear: float, noise: float) -> float:
        k = kernel(x, x, scales, linear) + noise * np.eye(runs)
        chol = np.linalg.cholesky(k)
        white = np.linalg.solve(chol, levels)
        fit = np.log((white**2).sum() + 1e-9)
        return float(-counts * np.log(np.diagonal(chol)).sum() - 0.5 * runs * counts * fit)

    best: list[float] = [1.0] * inputs
    linear, noise = 1.0, 1e-2
    for _ in range(_ROUNDS):
        for column in range(1, inputs):
            tried = [[*best[:column], s, *best[column + 1 :]] for s in _SCALES]
            best = max(tried, key=lambda scales: evidence(scales, linear, noise))
        linear, noise = max(product(_LINEAR, _NOISE), key=lambda pair: evidence(best, *pair))
    inverse = np.linalg.inv(kernel(x, x, best, linear) + noise * np.eye(runs))
    towards = kernel(points, x, best, linear)
    means = centre + towards @ inverse @ y
    own = _CONSTANT + linear * (points**2).sum(axis=1) + 1.0
    variances = own - ((towards @ inverse) * towards).sum(axis=1) + noise
    diagonal = np.diagonal(inverse)
    return means, (inverse @ y) / diagonal[:, None], variances, 1.0 / diagonal
