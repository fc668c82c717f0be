"""The view: what Spark and the pool show of B running applications at one moment, as arrays.

The simulator and the live cluster give the same view. So a policy is asked the same question in
both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class View:
    """B applications, S stages in the order they run, W = most workers + 1.

    ========== =========  =========================================================
    field      shape      meaning
    ========== =========  =========================================================
    now        [B]        seconds since the application's start
    max_workers [B]       N of the constraint
    limit_s    [B]        T of the constraint
    workers    [B]        workers that serve or start, without those that leave
    serving    [B]        workers that take tasks
    cores      [B]        task slots a worker
    jobs       [B]        jobs submitted so far, ended jobs included
    busy       [B]        share of the slots in use over the last step, 0..1
    tasks      [B, S]     tasks of a stage; 0 while Spark has not shown it
    active     [B, S]     tasks under way
    complete   [B, S]     finished tasks
    run_s      [B, S]     run time of the finished tasks in seconds
    ended      [B, S]     whether the stage has ended
    over       [B]        whether the application has ended; it gets no target any more
    began_s    [B, S]     when the stage's first task was launched; inf before
    ended_s    [B, S]     when its last task ended; inf before
    cell_n     [B, S, W]  finished tasks by the workers that served when they were launched
    cell_s     [B, S, W]  run time of these tasks in seconds
    first_n    [B, S, W]  how many of these tasks were the first on their slot of an executor
    first_s    [B, S, W]  run time of these first tasks in seconds
    age_s      [B, S]     seconds for which the tasks under way have run, summed; NaN if unknown
    active_first [B, S]   tasks under way that are the first on their slot
    ========== =========  =========================================================
    """

    now: Floats
    max_workers: Ints
    limit_s: Floats
    workers: Ints
    serving: Ints
    cores: Ints
    jobs: Ints
    busy: Floats
    tasks: Ints
    active: Ints
    complete: Ints
    run_s: Floats
    ended: Bools
    over: Bools
    began_s: Floats
    ended_s: Floats
    cell_n: Floats
    cell_s: Floats
    first_n: Floats
    first_s: Floats
    age_s: Floats
    active_first: Floats

    def take(self, rows: Ints) -> View:
        """The view of some rows."""
        return View(*(getattr(self, name)[rows] for name in self.__slots__))

    def padded(self, stages: int) -> View:
        """The view with at least ``stages`` stages; the added stages have no tasks."""
        more = max(0, stages - self.tasks.shape[1])
        if not more:
            return self

        def filled(name: str) -> Any:
            array = getattr(self, name)
            if array.ndim == 1:
                return array
            width = [(0, 0), (0, more), *[(0, 0)] * (array.ndim - 2)]
            return np.pad(array, width, constant_values=_MISSING.get(name, 0))

        return View(*(filled(name) for name in self.__slots__))


_MISSING = {"began_s": np.inf, "ended_s": np.inf}
