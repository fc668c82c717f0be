"""A trial: the same episodes for every policy."""

from __future__ import annotations

import numpy as np

from kitwai.learning.trial import Trial, rows
from kitwai.sim.judging import Constant
from kitwai.sim.library import Library
from kitwai.sim.synthetic import synthetic_profiles


def test_each_regime_has_every_application_under_every_constraint():
    library = Library(synthetic_profiles(3, seed=5))
    trial = Trial(library, ("recurring", "disturbed"), 1, workers=(2, 6), limits_s=(120.0, 300.0))
    judged = dict(trial.judges())
    assert list(judged) == ["recurring", "disturbed"]
    for regime, judge in judged.items():
        episodes = judge.episodes
        constraints = zip(episodes.profile, episodes.max_workers, episodes.limit_s, strict=True)
        assert len(set(constraints)) == len(episodes) == 3 * 2 * 2
        assert (episodes.realisation.noise > 0).all() == (regime == "disturbed")
    again = dict(trial.judges())["disturbed"]
    assert np.array_equal(again.static_finish_s, judged["disturbed"].static_finish_s)


def test_a_row_of_the_table_is_of_the_outcome_of_its_name():
    library = Library(synthetic_profiles(3, seed=5))
    ((_, judge),) = Trial(library, ("recurring",), 1, workers=(4,), limits_s=(600.0,)).judges()
    table = rows(judge, {"two": judge.run(Constant(2)), "always-N": judge.at_most})
    assert list(table) == ["two", "always-N"]
    assert table["two"]["worker_hours"] < table["always-N"]["worker_hours"]
    assert table["two"]["episodes"] == table["always-N"]["episodes"] == 3
