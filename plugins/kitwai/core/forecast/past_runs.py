"""From the past runs of a family to what is believed of its next run: work and scale-out curve.

Gaussian-process regression over the announced inputs, with one kernel for all outputs (the log of
the total work at every worker count, the stages' shares, the forecast's own loss): a linear part,
since work grows as a power of the size, and a smooth part for what bends, cliffs included. The
kernel's scales are chosen by marginal likelihood (Rasmussen and Williams, "Gaussian Processes for
Machine Learning", 2006, sections 2.7 and 5.4); the errors of leaving one run out give the
covariance between the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.forecast.prior import Prior, unknown

RUN_SIGMA = 0.07
"""Sigma of a hidden factor on all of a run's work: data differ, machines are shared."""

_FARTHEST = 30.0
"""How many standard deviations beyond the runs known an input may lie."""

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
    """One past run: its inputs, and for S stages and W worker counts:

    ``stage_work_s`` [S] total task time of a stage; ``stage_tasks`` [S]; ``gap_s`` [S] driver time
    before it; ``level`` [W] log of the total task time at each worker count; ``loss`` [W] log of
    the run's time at that count over what the rates alone say (`kitwai.core.forecast.prior.Prior`);
    ``cores``: task slots a worker; ``app``: the run's application id.
    """

    inputs: Mapping[str, float]
    stage_work_s: Floats
    stage_tasks: Floats
    gap_s: Floats
    level: Floats
    loss: Floats
    cores: int = 2
    app: str = ""


def comparable(records: Sequence[Record], counts: int, cores: int) -> list[Record]:
    """Those that tell of ``counts`` workers of ``cores`` cores: a record tells of the counts up to
    which it was made, on workers of its own size.
    """
    return [one for one in records if len(one.level) >= counts and one.cores == cores]


def prior_of(
    records: Sequence[Record], inputs: Mapping[str, float], counts: int, stages: int
) -> Prior:
    """What is believed (B = 1) of a run with these inputs.

    :param records: past runs of the family, none with the same inputs; with none of them nothing is
        known. Each tells of ``counts`` workers at least.
    :param stages: S of the result, unless the family's runs have more.
    """
    if not records:
        return unknown(1, counts, stages)
    shape = Counter(len(record.stage_tasks) for record in records).most_common(1)[0][0]
    like = [record for record in records if len(record.stage_tasks) == shape]
    x, x_new = _features([record.inputs for record in like], inputs)
    works = np.array([record.stage_work_s for record in like])
    shares = np.log(np.maximum(works / works.sum(axis=1, keepdims=True), 1e-6))
    levels = np.array([record.level[:counts] for record in like])
    losses = np.array([record.loss[:counts] for record in like])
    gaps = np.array([record.gap_s for record in like])
    tasks = np.log(np.array([record.stage_tasks for record in like]))
    gap = np.log1p(gaps.sum(axis=1, keepdims=True))
    outputs = np.concatenate([levels, losses, shares, tasks, gap], axis=1)
    mean, errors, variance, errors_variance = _regress(x, x_new, outputs, counts)
    ends = [counts, 2 * counts, 2 * counts + shape, 2 * counts + 2 * shape]
    level, loss, share, task, total_gap = np.split(mean, ends)
    # Where the driver's time goes is the same in all runs, how much there is of it is not.
    usual = gaps.mean(axis=0)
    gap_s = np.expm1(np.maximum(total_gap[0], 0.0)) * usual / max(usual.sum(), 1e-9)
    total_error = errors[:, :counts] + errors[:, counts : 2 * counts]
    common = np.full((counts, counts), 0.7) + 0.3 * np.eye(counts)
    cov = (total_error.T / errors_variance) @ total_error + _ERROR_WEIGHT * _ERROR_SIGMA**2 * common
    cov *= variance / (len(like) + _ERROR_WEIGHT)
    share_error = errors[:, 2 * counts : 2 * counts + shape]
    weights = np.exp(share)
    spread = np.sqrt(
        ((share_error**2 * weights).sum(axis=1) / weights.sum()).mean() + _STAGE_SIGMA**2
    )
    return Prior(
        level=level[None],
        cov=(cov + RUN_SIGMA**2)[None],
        loss=loss[None],
        share=(share - np.log(weights.sum()))[None],
        spread=np.array([min(spread, 1.0)]),
        tasks=np.maximum(np.rint(np.exp(task)), 1.0)[None],
        gap_s=gap_s[None],
        informed=np.ones(1, dtype=np.bool_),
    )


def _features(
    history: Sequence[Mapping[str, float]], inputs: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Inputs as standardised columns: those that every run names; logs where all are positive.

    Beyond `_FARTHEST` nothing is told apart, and a column that overflows tells nothing.
    """
    names = [name for name in sorted(inputs) if all(name in one for one in history)]
    columns, new = [np.zeros(len(history))], [0.0]
    for name in names:
        values = np.array([*(one[name] for one in history), inputs[name]], dtype=np.float64)
        if (values > 0).all():
            values = np.log(values)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.ptp(values) < 1e-9:
                continue
            spread = values[:-1].std()
            # An input that never varied before: nothing tells what it does.
            values = (values - values[:-1].mean()) / (spread if spread > 1e-9 else np.ptp(values))
        if not np.isfinite(values).all():
            continue
        columns.append(values[:-1])
        new.append(float(np.clip(values[-1], -_FARTHEST, _FARTHEST)))
    return np.stack(columns, axis=1), np.array(new)


def _regress(
    x: Floats, x_new: Floats, outputs: Floats, counts: int
) -> tuple[Floats, Floats, float, Floats]:
    """Predictions [O] at ``x_new``, errors [H, O] of leaving one run out, and their variances in
    units of the outputs' own scale: of the prediction, and [H] of the errors.
    """
    centre = outputs.mean(axis=0)
    y = outputs - centre
    both = np.concatenate([x, x_new[None]])
    squares = (both[:, None, :] - both[None, :, :]) ** 2
    dots = both @ both.T
    runs, inputs = len(x), x.shape[1]

    def kernel(scales: Sequence[float], linear: float) -> Floats:
        weights = np.array([0.0 if np.isinf(s) else 1.0 / s**2 for s in scales])
        smooth = np.exp(-0.5 * (squares @ weights))
        return np.asarray(_CONSTANT + linear * dots + smooth)

    levels = y[:, :counts]

    def evidence(scales: Sequence[float], linear: float, noise: float) -> float:
        k = kernel(scales, linear)[:runs, :runs] + noise * np.eye(runs)
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
    full = kernel(best, linear)
    inverse = np.linalg.inv(full[:runs, :runs] + noise * np.eye(runs))
    towards = full[runs, :runs]
    mean = centre + towards @ inverse @ y
    variance = float(full[runs, runs] - towards @ inverse @ towards + noise)
    diagonal = np.diagonal(inverse)
    return mean, (inverse @ y) / diagonal[:, None], variance, 1.0 / diagonal
