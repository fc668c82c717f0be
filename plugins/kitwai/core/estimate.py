"""How much work is left, and when the application ends under every constant target.

The work left is what the driver shows: tasks of submitted stages that have not finished, times the
mean run time of those that have. Work that the driver has not submitted yet is unknown, and no
number stands for it. Arrays carry a leading batch axis B so that the simulator asks the same
function as the live cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kitwai.core.observation import Application

Floats = NDArray[np.float64]

# A task under way is, on average, half done.
_ACTIVE_SHARE_LEFT = 0.5


@dataclass(frozen=True, slots=True)
class Remaining:
    """Work left in the stages Spark has submitted, in the order they run.

    ``tasks_left[s]`` counts tasks (one under way counts half), ``task_s[s]`` is their expected
    run time in seconds. ``done`` and ``total`` count tasks of all submitted stages.
    """

    tasks_left: tuple[float, ...]
    task_s: tuple[float, ...]
    done: int
    total: int

    @property
    def slot_seconds(self) -> float:
        """Work left, in seconds of one task slot."""
        return float(sum(n * s for n, s in zip(self.tasks_left, self.task_s, strict=True)))


def remaining_work(application: Application) -> Remaining | None:
    """What is left of ``application``.

    None when nothing is submitted, or no finished task tells how long one takes: then the work
    left is unknown, which is not the same as none.
    """
    if application.stages is None:
        return None
    done = sum(stage.complete for stage in application.stages)
    total = sum(stage.tasks for stage in application.stages)
    unfinished = [
        stage
        for stage in sorted(application.stages, key=lambda stage: stage.id)
        if stage.status in ("ACTIVE", "PENDING") and stage.tasks > stage.complete
    ]
    if not unfinished or done == 0:
        return None
    mean_s = sum(stage.run_ms for stage in application.stages) / done / 1000.0
    left, task_s = work_left(
        tasks=np.array([[stage.tasks for stage in unfinished]], dtype=np.float64),
        active=np.array([[stage.active for stage in unfinished]], dtype=np.float64),
        complete=np.array([[stage.complete for stage in unfinished]], dtype=np.float64),
        run_s=np.array([[stage.run_ms / 1000.0 for stage in unfinished]], dtype=np.float64),
        mean_s=np.array([mean_s]),
    )
    return Remaining(
        tasks_left=tuple(left[0].tolist()), task_s=tuple(task_s[0].tolist()), done=done, total=total
    )


def work_left(
    tasks: Floats, active: Floats, complete: Floats, run_s: Floats, mean_s: Floats
) -> tuple[Floats, Floats]:
    """Tasks left and their expected run time, from what Spark shows of B x S stages.

    :param tasks: [B, S] tasks of a stage, 0 where there is none; ``active``: under way;
        ``complete``: finished; ``run_s``: run time of the finished ones in seconds.
    :param mean_s: [B] mean run time of all finished tasks of the application, which stands in for
        a stage that has none yet.
    :returns: [B, S] tasks left (one under way counts half), [B, S] seconds a task.
    """
    left = tasks - complete - (1.0 - _ACTIVE_SHARE_LEFT) * active
    fallback = np.broadcast_to(mean_s[:, None], tasks.shape).copy()
    task_s = np.divide(run_s, complete, out=fallback, where=complete > 0)
    return np.maximum(left, 0.0), task_s


def time_left(tasks_left: Floats, task_s: Floats, slots: Floats) -> Floats:
    """Seconds to finish stages one after another on a constant number of slots.

    A stage takes its work divided by the slots, and never less than one task: that is the limit
    on what more workers can do for it.

    :param tasks_left: [B, S] tasks, 0 where there is no stage.
    :param task_s: [B, S] seconds a task.
    :param slots: [B, W] task slots of each candidate.
    :returns: [B, W] seconds.
    """
    parallel = tasks_left[:, :, None] / slots[:, None, :]
    waves = np.where(tasks_left[:, :, None] > 0, np.maximum(parallel, 1.0), 0.0)
    return np.asarray((waves * task_s[:, :, None]).sum(axis=1), dtype=np.float64)


def finish_times(
    elapsed_s: Floats,
    tasks_left: Floats,
    task_s: Floats,
    workers: Floats,
    targets: Floats,
    cores: Floats,
    start_delay_s: float,
) -> Floats:
    """Predicted time from start to end under every constant target.

    Workers beyond the present ones help only after ``start_delay_s``; until then the present
    ones work alone.

    :param elapsed_s: [B] seconds since the application's start.
    :param tasks_left: [B, S]; ``task_s``: [B, S] (see `time_left`).
    :param workers: [B] workers now serving; with none, nothing is done during the delay.
    :param targets: [W] worker counts asked about.
    :param cores: [B] task slots a worker.
    :returns: [B, W] seconds since the application's start.
    """
    at_target = time_left(tasks_left, task_s, targets[None, :] * cores[:, None])
    present = np.maximum(workers, 0.0)
    at_present = time_left(tasks_left, task_s, np.maximum(present, 1.0)[:, None] * cores[:, None])
    at_present = np.where(present[:, None] > 0, at_present, np.inf)
    # The share of the work that the present workers get done while the new ones start.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(
            at_present > 0, np.minimum(start_delay_s / np.maximum(at_present, 1e-9), 1.0), 1.0
        )
    delayed = np.where(
        at_present <= start_delay_s, at_present, start_delay_s + (1.0 - share) * at_target
    )
    growing = targets[None, :] > present[:, None]
    has_work = tasks_left.sum(axis=1)[:, None] > 0
    left = np.where(has_work, np.where(growing, np.minimum(delayed, 1e12), at_target), 0.0)
    return np.asarray(elapsed_s[:, None] + left, dtype=np.float64)
