"""The state a policy sees, and its encoding as the network's input.

One row is one application under one constraint. Targets 1..W are the last axis but one. The network
gets `GLOBAL_FEATURES` once and `TARGET_FEATURES` for every target, all of order one:

| global feature | meaning |
| --- | --- |
| max_workers | N / 10 |
| workers, serving | those that serve or start, those that serve, / 10 |
| limit | log2(T / 300 s), -6..6 |
| time_left | (T - now) / T, -1..1 |
| progress | share of the believed work that is done |
| queue | log2(1 + tasks left / slots in use) / 4, 0..3 |
| task | log2(mean task time / 10 s) / 4, -2..2 |
| tail | believed tail of a stage in task times, / 2, -1..3 |
| tail_sigma | sigma of that / 2, 0..1 |
| spread | sigma of what makes the stages differ from what was planned, 0..1.5 |
| surprise | log of the task time seen over the one believed before the run, -2..2 |
| seen | log2(1 + stages that have ended) / 4, 0..2 |
| informed | 1 where runs of the family are known |
| price | log10 of what a missed limit costs, in best static clusters |
| best_z | largest ``z`` over the targets allowed / 4, -2..2 |
| unit | log2(worker-seconds left of the cheapest target / (60 s x N)) / 4, -2..2 |

| target feature | meaning |
| --- | --- |
| share | target / N, 0..3 |
| step | (target - workers) / 10 |
| present | 1 where the target is the present count |
| fill | log2(time left to run / time until the limit) / 2, -3..3 |
| z | log(time until the limit / time left to run) / its sigma, / 4, -2..2 |
| sigma | sigma of the log of the time left to run, 0..1.5 |
| cost | log2(worker-seconds left / the cheapest target's) / 2, 0..3 |
| slope | log of the total task time at the target over that at the present count, -2..2 |
| slope_sigma | sigma of that, 0..1.5 |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.forecast.forecast import Forecast, forecast
from kitwai.core.forecast.prior import Prior

TARGETS = 10
"""Outputs of the network: Q-values for each target 1..10."""

GLOBAL_FEATURES: tuple[str, ...] = (
    "max_workers",
    "workers",
    "serving",
    "limit",
    "time_left",
    "progress",
    "queue",
    "task",
    "tail",
    "tail_sigma",
    "spread",
    "surprise",
    "seen",
    "informed",
    "price",
    "best_z",
    "unit",
)

TARGET_FEATURES: tuple[str, ...] = (
    "share",
    "step",
    "present",
    "fill",
    "z",
    "sigma",
    "cost",
    "slope",
    "slope_sigma",
)

FEATURE_NAMES: tuple[str, ...] = (*GLOBAL_FEATURES, *(f"target_{name}" for name in TARGET_FEATURES))

GUESS_SIGMA = 0.5
"""Before a task has ended, no worker leaves because of a forecast with a larger sigma."""

SOONER = 0.04
"""Share of the time left by which another count must end earlier than the present count."""

HOPELESS_Z = -2.0
"""The limit is given up where no allowed target has a larger ``z``: the earliest end counts."""


@dataclass(frozen=True, slots=True)
class State:
    """B applications as a policy sees them; W targets.

    ``price`` [B]: what a missed limit costs, in costs of the best static cluster; ``z`` [B, W]: how
    many sigmas the limit lies beyond the predicted end; ``cost_s`` [B, W]: worker-seconds left if
    the target is held; ``unit_s`` [B]: the least of those over the targets allowed; ``best_s`` [B]:
    the believed cost of the whole run on the cheapest cluster; ``mask`` [B, W]: targets that the
    constraint and the rules below allow; ``start_delay_s``, ``drain_s``: of the cluster.

    Rules that ``mask`` keeps:

    - Before a task has ended no worker leaves, unless past runs tell enough (`GUESS_SIGMA`).
    - No worker leaves while no count is predicted to meet the limit, unless fewer end earlier.
    - The present count is held where Spark shows no work that is left.
    - Only the target with the earliest end is allowed where the limit is out of reach
      (`HOPELESS_Z`). Another count than the present one must end earlier by `SOONER`.
    """

    workers: Ints
    serving: Ints
    max_workers: Ints
    cores: Ints
    limit_s: Floats
    now: Floats
    price: Floats
    forecast: Forecast
    informed: Bools
    z: Floats
    cost_s: Floats
    unit_s: Floats
    best_s: Floats
    mask: Bools
    start_delay_s: float
    drain_s: float

    @property
    def finish_s(self) -> Floats:
        """[B, W] predicted seconds from start to end under each target."""
        return self.now[:, None] + self.forecast.left_s


def build_state(
    view: View, prior: Prior, price: Floats, *, start_delay_s: float, drain_s: float
) -> State:
    """The state of B applications.

    :param price: [B] of a missed limit.
    :param drain_s: for so long a worker that leaves is still paid for.
    """
    believed = forecast(view, prior, start_delay_s)
    left_s = np.maximum(believed.left_s, 1e-3)
    counts = left_s.shape[1]
    targets = np.arange(1, counts + 1)
    until = np.maximum(view.limit_s - view.now, 1e-3)[:, None]
    z = np.clip(np.log(until / left_s) / believed.sigma, -50.0, 50.0)
    leaving = np.maximum(view.workers[:, None] - targets, 0)
    cost_s = targets * left_s + np.minimum(drain_s, left_s) * leaving
    allowed = targets <= view.max_workers[:, None]
    # Before a task has ended, only past runs tell of the work.
    here = np.clip(view.workers, 1, counts)[:, None] - 1
    sure = prior.informed & (np.take_along_axis(believed.sigma, here, 1)[:, 0] < GUESS_SIGMA)
    told = sure | (view.complete.sum(axis=1) > 0)
    present = np.clip(view.workers, 1, np.minimum(view.max_workers, counts))
    # A change takes time: the present count wins over counts that end at about the same time.
    ahead = np.where(targets == present[:, None], 1.0 - SOONER, 1.0)
    earliest = np.where(allowed, ahead * left_s, np.inf).argmin(axis=1) + 1
    in_time = np.where(allowed, z, -np.inf).max(axis=1) >= 0.0
    fewest = np.where(in_time, 1, np.minimum(present, earliest))
    allowed &= targets >= np.where(told, fewest, present)[:, None]
    unit_s = np.where(allowed, cost_s, np.inf).min(axis=1)
    hopeless = np.where(allowed, z, -np.inf).max(axis=1) < HOPELESS_Z
    only = np.where(believed.known, earliest, present)
    one = hopeless | ~believed.known
    return State(
        workers=view.workers,
        serving=view.serving,
        max_workers=view.max_workers,
        cores=view.cores,
        limit_s=view.limit_s,
        now=view.now,
        price=price,
        forecast=believed,
        informed=prior.informed,
        z=z,
        cost_s=cost_s,
        unit_s=unit_s,
        best_s=unit_s / np.maximum(1.0 - believed.progress, 0.05),
        mask=np.where(one[:, None], targets == only[:, None], allowed),
        start_delay_s=start_delay_s,
        drain_s=drain_s,
    )


def encode(state: State) -> tuple[Floats, Floats]:
    """[B, G] global and [B, 10, K] target features in the order of the tables above."""
    believed = state.forecast
    limit, tens = state.limit_s, float(TARGETS)
    z, sigma = state.z[:, :TARGETS], believed.sigma[:, :TARGETS]
    left_s, cost_s = believed.left_s[:, :TARGETS], state.cost_s[:, :TARGETS]
    slots = np.maximum(state.serving, 1) * state.cores
    best_z = np.where(state.mask[:, :TARGETS], z, -np.inf).max(axis=1)
    global_ = [
        state.max_workers / tens,
        state.workers / tens,
        state.serving / tens,
        _clip(np.log2(limit / 300.0), -6.0, 6.0),
        _clip((limit - state.now) / limit, -1.0, 1.0),
        _clip(believed.progress, 0.0, 1.0),
        _clip(np.log2(1.0 + believed.tasks_left / slots) / 4.0, 0.0, 3.0),
        _clip(np.log2(np.maximum(believed.task_s, 1e-3) / 10.0) / 4.0, -2.0, 2.0),
        _clip(believed.tail / 2.0, -1.0, 3.0),
        _clip(believed.tail_sigma / 2.0, 0.0, 1.0),
        _clip(believed.spread, 0.0, 1.5),
        _clip(believed.surprise, -2.0, 2.0),
        _clip(np.log2(1.0 + believed.stages_ended) / 4.0, 0.0, 2.0),
        state.informed.astype(np.float64),
        np.log10(np.maximum(state.price, 1e-3)),
        _clip(best_z / 4.0, -2.0, 2.0),
        _clip(np.log2(np.maximum(state.unit_s, 1.0) / (60.0 * state.max_workers)) / 4.0, -2.0, 2.0),
    ]
    targets = np.arange(1.0, left_s.shape[1] + 1.0)
    until = np.maximum(limit - state.now, 1e-3 * limit)[:, None]
    present = np.clip(state.serving, 1, believed.level.shape[1]) - 1
    rows = np.arange(len(limit))
    level, cov = believed.level, believed.cov
    own = cov[rows, present, present]
    variance = np.diagonal(cov, axis1=1, axis2=2) + own[:, None] - 2.0 * cov[rows, present]
    of_target = [
        _clip(targets / state.max_workers[:, None], 0.0, 3.0),
        (targets - state.workers[:, None]) / tens,
        (targets == state.workers[:, None]).astype(np.float64),
        _clip(np.log2(np.maximum(left_s, 1e-3) / until) / 2.0, -3.0, 3.0),
        _clip(z / 4.0, -2.0, 2.0),
        _clip(sigma, 0.0, 1.5),
        _clip(np.log2(np.maximum(cost_s, 1e-3) / state.unit_s[:, None]) / 2.0, 0.0, 3.0),
        _clip(level - level[rows, present][:, None], -2.0, 2.0)[:, :TARGETS],
        _clip(np.sqrt(np.maximum(variance, 0.0)), 0.0, 1.5)[:, :TARGETS],
    ]
    return np.stack(global_, axis=1), np.stack(of_target, axis=2)


def _clip(values: Floats, low: float, high: float) -> Floats:
    """As ``np.clip``, in a third of its time on the few numbers of one application."""
    return np.asarray(np.minimum(np.maximum(values, low), high))
