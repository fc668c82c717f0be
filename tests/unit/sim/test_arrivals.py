"""`sim.arrivals`: the applications of a day, their arrivals and limits."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.arrivals import DayConfig, draw_day
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

LIBRARY = Library(synthetic_profiles(30, seed=2))


SHORT = DayConfig(cluster_workers=12, hours=3.0, arrivals_per_hour=20.0)


STEP_S = SimulatorConfig().step_s


def profile(tasks: int, seconds: float) -> ApplicationProfile:
    stage = StageProfile(0, (), (seconds * 1000.0,) * tasks)
    return ApplicationProfile("app", "family", {}, 2, (stage,), "test")


def test_arrivals_lie_in_the_day_on_its_steps_and_can_mostly_be_in_time():
    day = draw_day(LIBRARY, 3, SHORT)
    assert (np.diff(day.arrival_s) >= 0).all()
    assert (day.arrival_s % STEP_S == 0).all()
    assert day.arrival_s[-1] < SHORT.hours * 3600.0
    assert 30 <= len(day) <= 90
    assert day.feasible.all()
    assert 0 < draw_day(LIBRARY, 3, SHORT, regime="disturbed").feasible.mean() < 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cluster_workers": 0, "min_workers": 0}, "0 to 0 workers"),
        ({"min_workers": 21}, "21 to 20"),
        ({"hours": 0.0}, "hours"),
        ({"arrivals_per_hour": float("nan")}, "arrivals_per_hour"),
        ({"keep_idle_s": -1.0}, "keep_idle_s"),
    ],
)
def test_a_cluster_or_load_that_cannot_be_is_refused(changes, named):
    with pytest.raises(InvalidInputError, match=named):
        DayConfig(**changes)


def test_a_day_that_nobody_can_win_is_refused():
    with pytest.raises(InvalidInputError, match="No application"):
        draw_day(Library([profile(2000, 60.0)]), 0, SHORT)
    with pytest.raises(InvalidInputError, match="'calm'"):
        draw_day(LIBRARY, 0, SHORT, regime="calm")
