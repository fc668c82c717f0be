"""Runs of one family at several sizes, for the baselines."""

from __future__ import annotations

import numpy as np

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.judging import Judge
from kitwai.sim.simulator import Simulator

SLOWDOWN = {2: 1.0, 8: 1.2, 20: 1.8}


def run_of(size: float, family="etl", tasks=24, stages=6) -> ApplicationProfile:
    """``size`` minutes of work in a chain of stages, the first half with uneven tasks."""
    uneven = np.linspace(0.5, 1.5, tasks)
    each = size * 60_000.0 / (tasks * stages)
    chain = [
        StageProfile(
            number,
            (number - 1,) if number else (),
            tuple(each * (uneven if number < stages // 2 else np.ones(tasks))),
        )
        for number in range(stages)
    ]
    return ApplicationProfile(
        f"{family}-{size}", family, {"gb": size}, 2, tuple(chain), "test", SLOWDOWN
    )


def view_of(judge: Judge, steps: int = 0):
    """The simulator's view after so many steps on the starting workers."""
    episodes = judge.episodes
    simulator = Simulator(judge.library, len(episodes), judge.config)
    simulator.reset(
        episodes.profile,
        episodes.max_workers,
        episodes.limit_s,
        realisation=episodes.realisation,
    )
    for _ in range(steps):
        simulator.step(np.full(len(episodes), 2))
    return simulator.view()
