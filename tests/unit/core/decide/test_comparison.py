from __future__ import annotations

from dataclasses import replace

import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.decide.comparison import Seen, compare
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ApplicationDecision

BASE = decide(observation(2, application(stage(tasks=100, complete=40))), settings())


def one(target: int, **changes) -> ApplicationDecision:
    fields = {
        "id": "app-1",
        "name": "job",
        "constraint": Constraint(3, 300.0),
        "limit_source": "cluster",
        "elapsed_s": 100.0,
        "target": target,
        "reason": "",
        "q_values": (-1.0, -0.5, -0.7),
        "miss_probability": (0.9, 0.1, 0.0),
        "predicted_finish_s": (400.0, 280.0, 250.0),
    }
    return ApplicationDecision(**(fields | changes))


def decision(*applications: ApplicationDecision):
    return replace(BASE, target=sum(a.target for a in applications), applications=applications)


def test_the_other_target_is_judged_by_both_forecasts():
    own = one(2)
    other = one(3, q_values=(-2.0, -0.9, -0.8), predicted_finish_s=(500.0, 320.0, 290.0))
    found = compare([(decision(own), decision(other)), (decision(own), decision(own))])
    assert (found.decisions, found.differs, found.fewer, found.more) == (2, 1, 0, 1)
    assert (found.workers, found.share) == (0.5, 0.5)
    # Of 2 decisions: 3 instead of 2 loses 0.2, costs 3 x 150 instead of 2 x 180, ends 30 s earlier.
    expected = Seen(loss=0.1, cost_s=45.0, finish_s=-15.0, miss=-0.05)
    for name in Seen.__slots__:
        assert getattr(found.first, name) == pytest.approx(getattr(expected, name)), name
    assert found.second.loss == pytest.approx(-0.05)
    assert found.second.cost_s == pytest.approx((3 * 190.0 - 2 * 220.0) / 2)
    assert found.regret_first == pytest.approx(0.1)
    assert found.regret_second == pytest.approx(0.05)
    assert (found.judged, found.same_forecast) == (2, 1)


def test_the_same_decisions_differ_in_nothing():
    found = compare([(BASE, BASE)])
    assert (found.differs, found.judged, found.same_forecast) == (0, 1, 1)
    assert found.first == found.second == Seen(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        (one(2, q_values=None, miss_probability=None, predicted_finish_s=None), one(3, id="app-2")),
        (one(2, q_values=None, miss_probability=None, predicted_finish_s=None),) * 2,
    ],
)
def test_what_was_not_judged_has_no_regret(mine, yours):
    found = compare([(decision(mine), decision(yours))])
    assert found.judged == 0
    assert found.first == found.second == Seen(None, None, None, None)
    assert found.regret_first is None
    assert found.regret_second is None


def test_a_guess_has_a_loss_and_no_finish():
    guess = one(2, predicted_finish_s=None)
    found = compare([(decision(guess), decision(one(3)))])
    assert found.first.loss == pytest.approx(0.2)
    assert found.first.finish_s is None
    assert found.first.cost_s is None


def test_a_target_that_a_forecast_does_not_know_is_not_judged_by_it():
    found = compare([(decision(one(2)), decision(one(4)))])
    assert found.first.loss is None
    assert (found.differs, found.more) == (1, 1)


def test_nothing_was_named():
    nothing = replace(BASE, target=None, applications=())
    found = compare([(nothing, nothing)])
    assert (found.decisions, found.differs, found.workers) == (1, 0, None)
    assert compare([]).share is None
