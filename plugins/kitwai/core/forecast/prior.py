"""What is known of an application before it runs: a distribution of its tasks' times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints

_UNKNOWN_STAGES = 0.3
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
