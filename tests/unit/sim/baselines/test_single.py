"""`sim.baselines.single`: a baseline that is asked about one real application."""

from __future__ import annotations

import pytest

from builders import Seen, view
from kitwai.core.records.constraint import Constraint
from kitwai.sim.baselines.recorded import baseline
from kitwai.sim.baselines.single import Announced, SingleBaseline
from kitwai.sim.judging import Constant
from kitwai.sim.simulator import SimulatorConfig
from recorded_day import (
    profile,
)


def test_a_baseline_sees_past_runs_and_nothing_of_the_run_itself():
    class Reader(Constant):
        def begin(self, library, episodes, config):
            self.library, self.episodes = library, episodes

    past = [profile("sort", 1.0, "past"), profile("join", 1.0, "other")]
    past.append(profile("sort", 1.0, "large", cores=4))
    reader = Reader(3)
    announced = Announced("sort", {"size": 1.0}, 2, Constraint(5, 100.0), past)
    SingleBaseline(reader, announced, SimulatorConfig(), counts=10, stages=4)
    own, *others = reader.library.profiles
    assert [one.app for one in others] == ["past"]
    assert own.work_s == pytest.approx(0.004)
    assert bool(reader.episodes.informed[0])


def test_a_run_with_the_same_inputs_informs_a_baseline():
    """The judging rule that hides them is for fixed sets of profiles."""
    asked = {}
    for past in ([], [profile("sort", 1.0, "a"), profile("sort", 2.0, "b")]):
        announced = Announced("sort", {"size": 1.0}, 2, Constraint(10, 400.0), past)
        single = SingleBaseline(
            baseline("linear@0.80"), announced, SimulatorConfig(), counts=10, stages=2
        )
        asked[len(past)] = single.target(view(Seen(40), now=0.0, limit_s=400.0))
    assert asked[0] == 10
    assert 1 <= asked[2] < 10
