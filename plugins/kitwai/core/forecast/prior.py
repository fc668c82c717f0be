"""The prior: what is known of an application before it runs, as distributions of task times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints

_UNKNOWN_STAGES = 0.3
_LEVEL = (float(np.log(2.5)), 1.8)

CURVE = np.array([-0.02, -0.09, -0.09, -0.08, -0.04, -0.01, 0.03, 0.06, 0.10, 0.13])
"""Curve of l over 1..10 workers where nothing is known: mean of l, less its mean over the counts.

Taken from 2,500 profiles of `kitwai.sim.synthetic`."""

CURVE_FACTORS = np.array(
    [
        [-0.62, -0.41, -0.21, -0.03, 0.07, 0.16, 0.20, 0.25, 0.28, 0.30],
        [-0.20, 0.05, 0.14, 0.15, 0.10, 0.03, -0.01, -0.06, -0.09, -0.11],
        [-0.06, 0.11, 0.05, -0.05, -0.06, -0.05, -0.02, 0.01, 0.03, 0.06],
    ]
)
"""Principal components of the curve, each times its standard deviation."""

CURVE_REST = 0.06
"""Sigma of the part of the curve that the principal components leave out."""


WARM_UP_S = 2.5
"""Seconds of warm-up that are expected where nothing is known."""

WARM_UP_WEIGHT = 2.0
"""How sure that is, in first tasks seen."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of B applications before they run.

    ============ ========= ================================================================
    field        shape     meaning
    ============ ========= ================================================================
    level        [B, W]    mean of l
    cov          [B, W, W] covariance of l
    loss         [B, W]    log of a run's time at n over the time `forecast` makes of its rates
    share        [B, S]    log of a stage's share of the work; 0 where ``informed`` is False
    spread       [B]       sigma of e, the stages' own deviation
    tasks        [B, S]    tasks of stages that Spark has not shown yet, 0 where unknown
    gap_s        [B, S]    driver time before a stage
    warm_up_s    [B]       seconds that a slot's first task takes longer
    warm_up_weight [B]     how sure that is, in first tasks seen
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
    warm_up_s: Floats
    warm_up_weight: Floats
    informed: Bools

    def take(self, rows: Ints) -> Prior:
        """The priors of some rows."""
        return Prior(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def stack(cls, priors: Sequence[Prior]) -> Prior:
        """Several priors as one batch. All get as many stages as the prior with the most stages."""
        most = max(prior.share.shape[1] for prior in priors)

        def filled(name: str) -> Floats:
            arrays = [getattr(prior, name) for prior in priors]
            if name in ("share", "tasks", "gap_s"):
                arrays = [np.pad(array, ((0, 0), (0, most - array.shape[1]))) for array in arrays]
            return np.concatenate(arrays)

        arrays: list[Any] = [filled(name) for name in cls.__slots__]
        return cls(*arrays)


def unknown(rows: int, counts: int, stages: int) -> Prior:
    """The prior of applications of which nothing is known.

    Their tasks take about 2.5 s, within a factor of 6. Their curve is like the curves of
    `kitwai.sim.synthetic`; beyond 10 workers it stays as it is at 10.
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
        warm_up_s=np.full(rows, WARM_UP_S),
        warm_up_weight=np.full(rows, WARM_UP_WEIGHT),
        informed=np.zeros(rows, dtype=np.bool_),
    )
