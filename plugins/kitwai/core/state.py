"""The state a policy sees, and its encoding as the network's input.

One row is one application under one constraint. Targets are counted 1..W along the last axis.

| # | feature | unit | range | meaning |
| --- | --- | --- | --- | --- |
| 0 | workers | /10 | 0..1 | workers serving or starting |
| 1 | max_workers | /10 | 0.1..1 | N of the constraint |
| 2 | limit | log2(T / 300 s) | -6..6 | T of the constraint |
| 3 | time_left | /T | -1..1 | time until the limit |
| 4 | progress | share | 0..1 | finished tasks of the submitted stages |
| 5 | queue | log2(1 + tasks left / slots) | 0..8 | backlog |
| 6 | task | /60 s | 0..4 | mean task time of the work left |
| 7..16 | slack_1..slack_10 | /T | -2..1 | (T - predicted finish) / T at each target |
| 17..26 | fill_1..fill_10 | log2 | -6..4 | time left to run at each target / time until the limit |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.estimate import Floats, Remaining, finish_times

TARGETS = 10
"""Outputs of the network: one Q-value for each target 1..10."""

FEATURE_NAMES: tuple[str, ...] = (
    "workers",
    "max_workers",
    "limit",
    "time_left",
    "progress",
    "queue",
    "task",
    *(f"slack_{n}" for n in range(1, TARGETS + 1)),
    *(f"fill_{n}" for n in range(1, TARGETS + 1)),
)


@dataclass(frozen=True, slots=True)
class State:
    """B applications as a policy sees them.

    ``finish_s`` is [B, W] (seconds from start to end under each target 1..W); the others are [B].
    """

    workers: Floats
    max_workers: Floats
    limit_s: Floats
    elapsed_s: Floats
    progress: Floats
    tasks_left: Floats
    task_s: Floats
    cores: Floats
    finish_s: Floats

    @property
    def mask(self) -> np.ndarray:
        """[B, W] bool: targets that the constraint allows."""
        targets = np.arange(1, self.finish_s.shape[1] + 1)
        return np.asarray(targets[None, :] <= self.max_workers[:, None])


def build_state(
    *,
    workers: Floats,
    max_workers: Floats,
    limit_s: Floats,
    elapsed_s: Floats,
    cores: Floats,
    tasks_left: Floats,
    task_s: Floats,
    progress: Floats,
    start_delay_s: float,
    targets: int = TARGETS,
) -> State:
    """The state of B applications from the work that is left of them.

    :param tasks_left: [B, S]; ``task_s``: [B, S]; the others [B].
    :param targets: W, the number of targets to predict for.
    """
    work = (tasks_left * task_s).sum(axis=1)
    count = tasks_left.sum(axis=1)
    return State(
        workers=workers,
        max_workers=max_workers,
        limit_s=limit_s,
        elapsed_s=elapsed_s,
        progress=progress,
        tasks_left=count,
        task_s=np.divide(work, count, out=np.zeros_like(work), where=count > 0),
        cores=cores,
        finish_s=finish_times(
            elapsed_s,
            tasks_left,
            task_s,
            workers,
            np.arange(1.0, targets + 1.0),
            cores,
            start_delay_s,
        ),
    )


def state_of(
    remaining: Remaining,
    *,
    workers: int,
    max_workers: int,
    limit_s: float,
    elapsed_s: float,
    cores: int,
    start_delay_s: float,
) -> State:
    """The state (B = 1) of one live application, over max(N, 10) targets."""
    return build_state(
        workers=_row([workers]),
        max_workers=_row([max_workers]),
        limit_s=_row([limit_s]),
        elapsed_s=_row([elapsed_s]),
        cores=_row([cores]),
        tasks_left=_row(remaining.tasks_left or (0.0,))[None, :],
        task_s=_row(remaining.task_s or (0.0,))[None, :],
        progress=_row([remaining.done / remaining.total if remaining.total else 0.0]),
        start_delay_s=start_delay_s,
        targets=max(TARGETS, max_workers),
    )


def encode(state: State) -> Floats:
    """[B, F] features in the order of `FEATURE_NAMES`, each clipped to the range in the table."""
    limit = state.limit_s
    finish = state.finish_s[:, :TARGETS]
    slots = np.maximum(state.workers, 1.0) * state.cores
    # Logarithmic, so that a light load is told from a very light one.
    until_limit = np.maximum(limit - state.elapsed_s, 1e-3 * limit)
    to_run = np.maximum(finish - state.elapsed_s[:, None], 1e-3 * limit[:, None])
    columns = [
        np.clip(state.workers / TARGETS, 0.0, 1.0),
        np.clip(state.max_workers / TARGETS, 0.0, 1.0),
        np.clip(np.log2(limit / 300.0), -6.0, 6.0),
        np.clip((limit - state.elapsed_s) / limit, -1.0, 1.0),
        np.clip(state.progress, 0.0, 1.0),
        np.clip(np.log2(1.0 + state.tasks_left / slots), 0.0, 8.0),
        np.clip(state.task_s / 60.0, 0.0, 4.0),
        *np.clip((limit[:, None] - finish) / limit[:, None], -2.0, 1.0).T,
        *np.clip(np.log2(to_run / until_limit[:, None]), -6.0, 4.0).T,
    ]
    return np.stack(columns, axis=1)


def _row(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)
