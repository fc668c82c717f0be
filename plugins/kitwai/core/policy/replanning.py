"""The value of a target that can be changed once more, when more is known.

A policy that judges targets as if they were held to the end asks for too many workers. It insures
against a doubt that will soon be settled, although it could still add workers then.

Here a target is held for `LEARN_S`. A part of the doubt is settled by then, in one of `OUTCOMES`.
From then on the best target of that moment is held. This is a rollout with one step of lookahead
(Bertsekas, "Dynamic Programming and Optimal Control", 2017, section 6.4).
"""

from __future__ import annotations

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.policy.state import State

LEARN_S = 75.0
"""Seconds until the target may be changed, at most half of the time left."""

LEARNT = 0.75
"""Share of the variance that is settled by then."""

CHANGE = 0.02
"""Cost of the change, in costs of the whole run."""

OUTCOMES = (-1.4, -0.53, 0.0, 0.53, 1.4)
"""How the doubt is settled, in sigmas: the mean of each fifth of a normal distribution."""

# So many applications at a time fit the processor's cache.
_ROWS = 64
_OUTCOMES = np.array(OUTCOMES, dtype=np.float32)[:, None, None]

LOGISTIC = 1.702
"""The normal distribution function is close to the logistic one of 1.702 z (Camilli, 1994)."""


def with_replanning(state: State, price: Floats) -> Floats:
    """[B, W] expected cost of every target and its charge for misses.

    The unit is the cost of the whole run on the best static cluster. A missed limit is charged its
    lateness too. The numbers have single precision: a thousand applications need five million.

    :param price: [B] of a missed limit.
    """
    believed = state.forecast
    counts = believed.left_s.shape[1]
    targets = np.arange(1, counts + 1, dtype=np.float32)
    left = np.maximum(believed.left_s, 1e-3).astype(np.float32)
    first_s = np.minimum(np.float32(LEARN_S), 0.5 * left)
    until = (state.limit_s - state.now).astype(np.float32)[:, None]
    log_until = np.log(np.maximum(until - first_s, 1e-3))

    # Axes from here on: later target, (outcome,) application, first target. So the minimum over the
    # later targets is taken over whole blocks. A doubt settled at one worker count is settled at
    # another as far as their levels are correlated.
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
    # Added workers serve after start-up and warm-up. Until then the first target's workers work
    # alone.
    start_s = (state.start_delay_s + believed.warm_up_s).astype(np.float32)[:, None]
    begun = np.minimum(start_s / first_left_s, 1.0)
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
    scale = _scales(state, sigma)
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
        ratio /= scale[:, rows]
        missed += ratio
        missed += change[:, None, rows]
        then[rows] = missed.min(axis=0).mean(axis=0)
    leaving_s = state.drain_s * np.maximum(state.workers[:, None] - targets, 0.0)
    now = (targets * first_s + leaving_s) / state.best_s[:, None] * (1.0 / scale).mean(axis=0)
    return np.asarray(now + then, dtype=np.float64)


def _scales(state: State, sigma: np.ndarray) -> np.ndarray:
    """[O, B, 1] cost of the whole run on the best static cluster in each of O outcomes, over the
    cost that is believed now.

    What workers cost counts in the cost of the run that they were for. So workers that a short run
    did not need weigh more than those that a long run lacked.

    :param sigma: [W, B, 1] of the log of the time left.
    """
    present = np.clip(state.workers, 1, len(sigma)) - 1
    here = sigma[present, np.arange(len(present)), 0][:, None]
    left = (1.0 - state.forecast.progress).astype(np.float32)[:, None]
    settled = np.exp(_OUTCOMES * np.float32(np.sqrt(LEARNT)) * here)
    return np.asarray(1.0 - left + left * settled)
