"""Judged episodes that all tests of the baselines share."""

from __future__ import annotations

import pytest

from family_runs import run_of
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library


@pytest.fixture(scope="session")
def library() -> Library:
    return Library([*(run_of(size) for size in (8.0, 16.0, 32.0, 48.0)), run_of(20.0, "alone")])


@pytest.fixture(scope="session")
def judges(library) -> dict[str, Judge]:
    return {
        regime: Judge(
            library, grid_episodes(library, regime, seed=3, workers=(4, 9), limits_s=(300.0, 540.0))
        )
        for regime in ("recurring", "new", "disturbed")
    }
