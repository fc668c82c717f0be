"""One family of runs, judged under disturbances."""

from __future__ import annotations

import numpy as np

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library


def run_of(size: float) -> ApplicationProfile:
    stages = tuple(
        StageProfile(number, (number - 1,) if number else (), (size * 2500.0,) * 8)
        for number in range(3)
    )
    return ApplicationProfile(f"run-{size}", "family", {"gb": size}, 2, stages, "test")


def disturbed_judge() -> Judge:
    """240 disturbed episodes: 20 runs on at most 4, 7 or 10 workers, four limits."""
    library = Library([run_of(size) for size in np.linspace(4.0, 36.0, 20)])
    return Judge(
        library,
        grid_episodes(
            library, "disturbed", seed=1, workers=(4, 7, 10), limits_s=(200.0, 300.0, 400.0, 500.0)
        ),
    )
