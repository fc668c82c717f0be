"""What a target is worth when the count may be changed later, once more is known.

To judge a target as if it were held to the end makes a policy ask for more than it needs: it
insures against what it will soon know, although it can still add workers then. Here a target is
held for `LEARN_S` only; by then a part of the doubt has been resolved, one way or another
(`OUTCOMES`), and the best target of that moment is held from there on. One change of mind, as in
rollout with one step of lookahead (Bertsekas, "Dynamic Programming and Optimal Control", 2017,
section 6.4).
"""

from __future__ import annotations

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.policy.state import State

LEARN_S = 75.0
"""After so many seconds, but at most half of the time left, the target may be changed."""

LEARNT = 0.75
"""Share of the variance that is resolved by then."""

CHANGE = 0.02
"""Cost of a change of mind, in costs of the whole run."""

OUTCOMES = (-1.4, -0.53, 0.0, 0.53, 1.4)
"""What is learnt, in sigmas, all equally likely: means of the fifths of a normal distribution."""

# Applications at a time: what fits the processor's cache.
_ROWS = 64
_OUTCOMES = np.array(OUTCOMES, dtype=np.float32)[:, None, None]

LOGISTIC = 1.702
"""The normal distribution function is close to the logistic one of 1.702 z (Camilli, 1994)."""


def with_recourse(state: State, price: Floats) -> Floats:
    """[B, W] expected cost of every target with what misses are charged, in costs of the whole run
    on the best static cluster.

    In single precision: for a thousand applications it is asked five million numbers.

    :param price: [B] of a missed limit; one missed by far is charged its lateness, too.
    """
    believed = state.forecast
    counts = believed.left_s.shape[1]
    targets = np.arange(1, counts + 1, dtype=np.float32)
    left = np.maximum(believed.left_s, 1e-3).astype(np.float32)
    first_s = np.minimum(np.float32(LEARN_S), 0.5 * left)
    until = (state.limit_s - state.now).astype(np.float32)[:, None]
    log_until = np.log(np.maximum(until - first_s, 1e-3))

    # Axes from here on: target held then, (outcome,) application, target held first, so that the
    # least over the targets held then is taken of whole blocks. What is learnt at one count tells
    # of another as far as their levels go together.
    then_targets = targets[:, None, None]
    cov = believed.cov.astype(np.float32)
    own = np.sqrt(np.maximum(np.diagonal(cov, axis1=1, axis2=2), 1e-9))
    alike = np.maximum(cov / (own[:, :, None] * own[:, None, :]), 0.0)
    alike = np.ascontiguousarray(alike.transpose(2, 0, 1))
    sigma = believed.sigma.T.astype(np.float32)[:, :, None]
    shift = np.float32(np.sqrt(LEARNT)) * sigma * alike
    doubt = np.sqrt(np.maximum(sigma**2 - shift**2, 1e-6))
    rest = 1.0 - first_s / left
    first_left_s, then_s = rest * left, rest * left.T[:, :, None]
    # Workers that are added serve after their start-up; until then the first ones work alone.
    begun = np.minimum(state.start_delay_s / first_left_s, 1.0)
    added = then_targets > targets
    later_s = begun * first_left_s + (1.0 - begun) * then_s
    log_then = np.log(np.where(added, later_s, then_s))
    run = state.best_s.astype(np.float32)[:, None]
    change = np.float32(CHANGE) * (targets != then_targets)
    leaving = np.maximum(targets - then_targets, 0.0) * np.float32(state.drain_s)
    forbidden = then_targets > state.max_workers[:, None]
    change = np.where(forbidden, np.float32(np.inf), change + leaving / run)
    steep, charged = np.float32(LOGISTIC) / doubt, price.astype(np.float32)[:, None]
    limit_s = then_targets * np.exp(log_until) / run
    log_over = log_then - log_until
    then = np.zeros_like(left)
    for at in range(0, len(left), _ROWS):
        rows = slice(at, at + _ROWS)
        over = _OUTCOMES * shift[:, None, rows] + log_over[:, None, rows]
        ratio = np.exp(np.minimum(np.maximum(over, -20.0), 20.0))
        over *= -steep[:, None, rows]
        with np.errstate(over="ignore"):
            missed = 1.0 / (1.0 + np.exp(over))
        missed += np.minimum(np.maximum(ratio - 1.0, 0.0), 3.0)
        missed *= charged[rows]
        ratio *= limit_s[:, None, rows]
        missed += ratio
        missed += change[:, None, rows]
        then[rows] = missed.min(axis=0).mean(axis=0)
    leaving_s = state.drain_s * np.maximum(state.workers[:, None] - targets, 0.0)
    now = (targets * first_s + leaving_s) / state.best_s[:, None]
    return np.asarray(now + then, dtype=np.float64)
