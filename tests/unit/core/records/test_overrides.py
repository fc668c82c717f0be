"""What people set on a cluster: what it changes, until when, and what is refused."""

from __future__ import annotations

import pytest

from builders import observation
from kitwai.core.decide.cluster import decide
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.overrides import Control, check_control, override, override_usable
from kitwai.core.records.settings import ClusterSettings, Mode, Pause, Pin
from kitwai.errors import InvalidInputError
from kitwai.store.controls import ControlStore
from kitwai.store.store import Store

SETTINGS = ClusterSettings("prod", Constraint(10, 600.0), min_workers=2)


def control(name, value, until=None, at=100.0):
    return Control(name, value, at, "ada", until)


def test_each_control_changes_its_own_setting():
    made = override(
        SETTINGS,
        [
            control("mode", "approve"),
            control("pause", "on", 200.0),
            control("pin", 4, 300.0),
            control("max_workers", 6),
            control("limit", "5min"),
        ],
        now=150.0,
    )
    assert made.mode is Mode.APPROVE
    assert made.pause == Pause(200.0, "ada")
    assert made.pin == Pin(4, 300.0, "ada")
    assert made.constraint == Constraint(6, 300.0)


def test_a_control_ends():
    assert override(SETTINGS, [control("pin", 4, 300.0)], now=300.0) == SETTINGS
    assert override(SETTINGS, [control("mode", None)], now=150.0) == SETTINGS


def test_fewer_workers_than_usually_stay_can_be_allowed():
    assert override(SETTINGS, [control("max_workers", 1)], now=150.0).min_workers == 1


@pytest.mark.parametrize(
    ("name", "value", "until", "message"),
    [
        ("colour", "red", None, "cannot be set"),
        ("mode", "wild", None, "suggest, approve, auto"),
        ("pin", 0, 200.0, "count of workers"),
        ("pin", True, 200.0, "count of workers"),
        ("pin", "4", 200.0, "count of workers"),
        ("pin", 4, None, "needs an end"),
        ("pause", "on", None, "needs an end"),
        ("pause", "on", 50.0, "past"),
        ("pause", "on", 1_800_000_000_000.0, "1800000000000 looks like milliseconds"),
        ("pin", None, 1_800_000_000_000.0, "looks like milliseconds"),
        ("limit", "soon", None, "is not a time"),
        ("max_workers", 0, None, "count of workers"),
    ],
)
def test_what_cannot_be_set_is_refused(name, value, until, message):
    with pytest.raises(InvalidInputError, match=message):
        check_control(control(name, value, until), SETTINGS)


def test_a_stored_row_that_does_not_fit_is_left_out():
    rows = [
        control("pause", "on", 1_800_000_000_000.0),
        control("pin", 4, 1.8e18),
        control("colour", 3),
        control("max_workers", 6),
    ]
    made = override_usable(SETTINGS, rows, now=150.0)
    assert (made.pause, made.pin, made.constraint.max_workers) == (None, None, 6)
    assert [note.split()[1] for note in made.ignored] == ["pause", "pin", "colour"]
    assert "looks like milliseconds" in decide(observation(2), made).reason


def test_the_newest_of_each_name_counts_and_all_are_kept(tmp_path):
    store = ControlStore(Store(f"sqlite:///{tmp_path / 's.db'}").engine)
    set_ = [
        control("mode", "auto"),
        control("pin", 4, 300.0),
        control("mode", None, at=110.0),
    ]
    for one in set_:
        store.add("prod", one)
    store.add("other", control("mode", "suggest"))
    assert store.newest("prod") == [set_[1], set_[2]]
    assert store.record("prod", limit=100).items == set_[::-1]
    assert store.record("prod", limit=1, before=3).items == [set_[1]]
