"""What chance does to a simulated run: slow tasks, late workers, long gaps.

A random number is a hash of the run's seed and of its task or launch; it does not come from a
stream. So the same task is slow and the same worker is late whatever a policy does, and policies
are compared in the same realisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_TASK, _STRAGGLER, _STRAGGLE_BY, START, VICTIM = 1, 2, 3, 4, 5
_WARM_UP, _SLOW, _GAP, _GAP_MORE = 6, 7, 8, 9

CONTENTION_S = 8.0
"""So long after a worker takes tasks, its start still slows the other tasks."""

SLOW_S = 20.0
"""Length of a slow wave of the machines, in seconds."""


@njit(cache=True)
def uniform(seed: Any, kind: Any, number: Any) -> Any:
    """A uniform number in (0, 1) from three whole numbers (splitmix64's finaliser)."""
    x = np.uint64(seed) + np.uint64(kind) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(number) * np.uint64(0xD1B54A32D192ED03)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (float(x >> np.uint64(11)) + 0.5) / 9007199254740992.0


@njit(cache=True)
def lognormal(seed: Any, kind: Any, number: Any, sigma: Any) -> Any:
    """A lognormal number with mean 1, from three whole numbers."""
    if sigma == 0.0:
        return 1.0
    first = uniform(seed, kind, 2 * number)
    second = uniform(seed, kind, 2 * number + 1)
    normal = np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)
    return np.exp(sigma * normal - 0.5 * sigma * sigma)


@njit(cache=True)
def gap_of(b: Any, s: Any, usual_s: Any, rows: Any) -> Any:
    """Seconds that the driver computes before stage ``s``."""
    gap_s = usual_s
    if rows.gap_noise[b] > 0.0 and s > 0:
        gap_s *= lognormal(rows.seed[b], _GAP, s, rows.gap_noise[b])
    if rows.gap_more_s[b] > 0.0 and s > 0:
        gap_s -= rows.gap_more_s[b] * np.log(uniform(rows.seed[b], _GAP_MORE, s))
    return gap_s


@njit(cache=True)
def contention_of(b: Any, starting: Any, rows: Any) -> Any:
    """Factor on the time of what begins while ``starting`` workers start: they share processors."""
    return 1.0 + (rows.contention[b] - 1.0) * min(1.0, 0.5 * starting)


@njit(cache=True)
def warm_up_of(b: Any, task: Any, starting: Any, rows: Any) -> Any:
    """Seconds that ``task`` takes longer as the first task of its slot."""
    if rows.warm_up[b] == 0.0:
        return 0.0
    warm_up_s = rows.warm_up[b] * lognormal(rows.seed[b], _WARM_UP, task, rows.warm_up_noise[b])
    return warm_up_s * contention_of(b, max(starting - 1, 0), rows)


@njit(cache=True)
def factor_of(b: Any, task: Any, now: Any, starting: Any, rows: Any) -> Any:
    """Factor on the time of a task that is launched now, by all that disturbs the run."""
    seed = rows.seed[b]
    factor = lognormal(seed, _TASK, task, rows.noise[b])
    if uniform(seed, _STRAGGLER, task) < rows.stragglers[b]:
        factor *= 3.0 + (rows.worst[b] - 3.0) * uniform(seed, _STRAGGLE_BY, task)
    factor *= contention_of(b, starting, rows)
    if rows.slow_share[b] > 0.0 and uniform(seed, _SLOW, int(now / SLOW_S)) < rows.slow_share[b]:
        factor *= rows.slow_factor[b]
    return factor
