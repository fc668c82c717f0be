from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kitwai.core.policy.policy import ForecastPolicy
from kitwai.learning.gate import Candidate, Comparison, compare, gate
from kitwai.learning.selection import FEWEST
from kitwai.learning.trial import Trial
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.synthetic import synthetic_profiles

NONE = (0.0, 0.0, 0.0)
TIE = Comparison("a set", 30, 9, 100, (90, 90), NONE, NONE)
CHEAPER = dataclasses.replace(TIE, cost=(-0.05, -0.08, -0.01))
DEARER = dataclasses.replace(TIE, cost=(0.05, 0.01, 0.08))
PERHAPS = dataclasses.replace(TIE, cost=(-0.05, -0.12, 0.02))
MISSES = dataclasses.replace(CHEAPER, hits=(89, 90), more_hits=(-0.01, -0.03, 0.0))
MEETS = dataclasses.replace(DEARER, hits=(95, 90), more_hits=(0.05, 0.01, 0.09))
FEW = dataclasses.replace(CHEAPER, drawn=4)


@pytest.mark.parametrize(
    ("comparisons", "passes", "words"),
    [
        ([CHEAPER], True, "On a set it costs less than the champion by -0.0500"),
        ([TIE, CHEAPER], True, "costs less"),
        ([MEETS], True, "meets 95 of 100 limits and the champion 90, and nowhere it is worse"),
        ([TIE], False, "not better than the champion for certain (a set: 90 limits met against 90"),
        ([TIE, PERHAPS], False, "not better than the champion for certain"),
        ([FEW], False, "not better than the champion for certain"),
        ([DEARER], False, "On a set it costs more than the champion by +0.0500"),
        ([MISSES], False, "meets 89 of 100 limits and the champion 90"),
        ([CHEAPER, DEARER], False, "costs more"),
        ([MEETS, MISSES], False, "meets 89 of 100"),
        ([], False, "not better"),
    ],
)
def test_the_gate(comparisons, passes, words):
    passed, reason = gate(comparisons)
    assert passed is passes
    assert words in reason
    assert reason[0].isupper()
    assert reason.endswith(".")


@pytest.fixture(scope="module")
def library():
    small = [one for one in synthetic_profiles(60, 22) if 100.0 < one.work_s < 3000.0]
    return Library(small[:14])


@pytest.fixture(scope="module")
def runs(library):
    return history_of(library)


def judged(library, challenger, champion, whole_families=False) -> Comparison:
    return compare(
        "a set",
        Trial(library, ("recurring", "disturbed"), 3, workers=(2, 6), limits_s=(120.0, 300.0)),
        Candidate(ForecastPolicy(), challenger),
        Candidate(ForecastPolicy(), champion),
        whole_families=whole_families,
    )


@pytest.mark.slow
def test_a_challenger_that_knows_the_past_runs_passes_and_the_other_way_round_is_refused(
    library, runs
):
    better = judged(library, runs, {})
    assert gate([better])[0]
    worse = judged(library, {}, runs)
    assert worse.hits == better.hits[::-1]
    assert worse.cost[0] == pytest.approx(-better.cost[0])
    assert not gate([worse])[0]


def test_alike_candidates_tie(library, runs):
    tie = judged(library, runs, runs)
    assert tie.hits[0] == tie.hits[1]
    assert tie.cost == tie.more_hits == NONE
    assert not gate([tie])[0]


def test_a_challenger_whose_runs_are_spoilt_is_refused(library, runs):
    rng = np.random.default_rng(0)
    spoilt = {
        family: [
            dataclasses.replace(record, level=record.level + rng.normal(-1.0, 0.5))
            for record in records
        ]
        for family, records in runs.items()
    }
    passed, reason = gate([judged(library, spoilt, runs)])
    assert not passed
    assert "the champion" in reason


@pytest.mark.slow
def test_the_members_of_a_family_are_drawn_together(library, runs):
    apart, together = judged(library, runs, {}), judged(library, runs, {}, whole_families=True)
    assert apart.drawn == apart.applications == together.applications
    assert together.drawn == len({one.family for one in library.profiles}) < FEWEST
    assert (together.cost[0], together.hits) == (apart.cost[0], apart.hits)
    assert together.cost[1:] != apart.cost[1:]
    assert gate([apart])[0]
    assert not gate([together])[0]
