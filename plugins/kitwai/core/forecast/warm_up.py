"""Learns the warm-up: how much longer the first task on a slot of an executor takes.

A JVM compiles, classes are loaded, and a Python worker starts. None of that is work that another
slot could do instead. So first tasks must not make the other tasks seem slow, and every worker that
is added pays for its own warm-up.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kitwai.core.forecast.arrays import Floats, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.forecast.stage_times import Cells, sums

_LEAST_SHARE = 0.25
"""At least so much of a first task is work, where its stage shows no other task."""

_DOUBT = 0.7
"""Sigma of one slot's warm-up, as a share of its mean."""


def learn_warm_up(finished: Cells, prior: Prior, shape: tuple[int, ...]) -> Floats:
    """[B] seconds of warm-up, after the finished tasks.

    Stages that show both kinds of tasks tell it. The prior counts as `Prior.warm_up_weight` first
    tasks.

    :param shape: (B, S).
    """
    of_stage = (finished.row, finished.stage)
    first, first_s = (sums(of_stage, x, shape) for x in (finished.first, finished.first_s))
    rest, rest_s = (
        sums(of_stage, x, shape)
        for x in (finished.tasks - finished.first, finished.run_s - finished.first_s)
    )
    both = (first > 0) & (rest > 0)
    extra = np.where(both, first_s - first * rest_s / np.maximum(rest, 1.0), 0.0).sum(axis=1)
    count = np.where(both, first, 0.0).sum(axis=1)
    weight = prior.warm_up_weight
    return np.asarray(
        np.maximum((extra + weight * prior.warm_up_s) / np.maximum(count + weight, 1e-9), 0.0)
    )


def without_first(finished: Cells, warm_up_s: Floats, shape: tuple[int, ...]) -> Cells:
    """The cells as if all slots had been warm.

    First tasks are left out of a stage that has others. Where a stage has no others, the warm-up is
    taken off their time, and the rest is less sure (`Cells.doubt`).

    :param warm_up_s: [B] `learn_warm_up`; ``shape``: (B, S).
    """
    if not finished.first.any():
        return finished
    row, stage = finished.row, finished.stage
    rest = finished.tasks - finished.first
    has_rest = sums((row, stage), rest, shape)[row, stage] > 0
    warm = warm_up_s[row] * finished.first
    alone_s = np.maximum(finished.run_s - warm, _LEAST_SHARE * finished.run_s)
    taken = np.divide(
        finished.run_s - alone_s, alone_s, out=np.zeros_like(alone_s), where=alone_s > 0
    )
    cells = replace(
        finished,
        tasks=np.where(has_rest, rest, finished.tasks),
        run_s=np.where(has_rest, finished.run_s - finished.first_s, alone_s),
        doubt=np.where(has_rest, 0.0, _DOUBT * taken),
    )
    return cells.take(np.flatnonzero(cells.tasks > 0))


def warmed(view: View, warm_up_s: Floats) -> View:
    """The view with stages that began when their tasks under way did, on average, on warm slots."""
    known = (view.active > 0) & ~np.isnan(view.age_s)
    share = view.active_first / np.maximum(view.active, 1)
    if not known.any() and not share.any():
        return view
    worked_s = np.maximum(view.age_s - warm_up_s[:, None] * view.active_first, 0.0)
    began = np.where(
        known,
        view.now[:, None] - worked_s / np.maximum(view.active, 1),
        np.minimum(view.began_s + warm_up_s[:, None] * share, view.now[:, None]),
    )
    return replace(view, began_s=np.where(view.active > 0, began, view.began_s))
