"""What an approval comes to, and what makes a question outdated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import settings
from kitwai.core.decide.approval import approved_target, outdated
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import Decision
from kitwai.core.records.settings import Mode, Pause, Pin

SETTINGS = settings(mode=Mode.APPROVE)


def decision(present, target, at=1000.0, **changes) -> Decision:
    made = Decision(
        "test", at, Mode.APPROVE, Constraint(10, 300.0), present, target, "Why.", "analytic", None
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("asked", "newest", "target"),
    [
        ((2, 4), (2, 4), 4),
        ((2, 4), (2, 8), 4),  # never further than the person allowed
        ((2, 5), (2, 3), 3),  # never further than is wanted now
        ((6, 2), (6, 4), 4),
        ((6, 4), (6, 2), 4),
        ((6, 4), (5, 4), 4),  # a worker was lost meanwhile
        ((2, 4), (2, 2), None),
        ((2, 4), (2, 1), None),
        ((2, 4), (4, 4), None),
        ((2, 4), (5, 4), None),  # who allowed more workers did not allow fewer
        ((2, 4), (3, 2), None),
    ],
)
def test_what_an_approval_comes_to(asked, newest, target):
    found, why = approved_target(decision(*asked), decision(*newest), SETTINGS)
    assert found == target, why


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mode": Mode.SUGGEST}, "mode is suggest"),
        ({"mode": Mode.AUTO}, "mode is auto"),
        ({"pause": Pause(2000.0, "ada")}, "ada paused"),
        ({"pin": Pin(3, 2000.0, "ada")}, "ada pinned"),
        ({"constraint": Constraint(2, 300.0)}, "At most 2"),
    ],
)
def test_what_people_set_meanwhile_holds(changes, words):
    found, why = approved_target(decision(2, 4), decision(2, 4), replace(SETTINGS, **changes))
    assert found is None
    assert words in why


def test_a_lower_n_bounds_the_approved_target():
    now = replace(SETTINGS, constraint=Constraint(3, 300.0))
    assert approved_target(decision(2, 5), decision(2, 5), now)[0] == 3


def test_without_a_fresh_decision_nothing_is_carried_out():
    assert approved_target(decision(2, 4), None, SETTINGS)[0] is None


def test_a_look_that_knew_too_little_makes_nothing_outdated():
    assert outdated(decision(2, 4), decision(2, 2, held=True)) is None
    assert outdated(decision(2, 4), decision(None, None)) is None
    assert outdated(decision(2, 4), decision(2, 2)) is not None
