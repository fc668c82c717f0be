"""Applications of few stages in the simulator, whose end can be worked out by hand."""

from __future__ import annotations

import numpy as np

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator


def profile(*stages: StageProfile, cores: int = 2, **changes) -> ApplicationProfile:
    return ApplicationProfile("app", "family", {}, cores, stages, "test", **changes)


def stage(number, parents, tasks, seconds, gap_s=0.0) -> StageProfile:
    return StageProfile(number, tuple(parents), (seconds * 1000.0,) * tasks, gap_s * 1000.0)


def simulator(one, workers, limit_s=300.0, rows=1, config=None) -> Simulator:
    made = Simulator(Library([one]), rows, config)
    made.reset(np.zeros(rows, int), np.full(rows, workers), np.full(rows, limit_s))
    return made


def run(made: Simulator, targets) -> float:
    """Hold ``targets`` to the end; the sum of the first row's worker-seconds."""
    total = 0.0
    while not made.done.all():
        total += made.step(np.asarray(targets)).worker_seconds[0]
    return total
