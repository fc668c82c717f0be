from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.records.profile import ApplicationProfile
from kitwai.core.records.settings import Mode, Pause, Pin
from kitwai.learning import recorded_steps
from kitwai.learning.recorded_steps import USED, label_steps
from kitwai.sim.synthetic import synthetic_profiles
from kitwai.store.store import Store
from kitwai.store.tables import DecisionRow
from kitwai.store.training import Run, TrainingStore

SEEN = observation(2, application(stage(tasks=100, complete=40), elapsed_s=100.0))


def run(app="app-job", seconds=400.0, began=900.0, cores=2, family="job") -> Run:
    profile = next(p for p in synthetic_profiles(20, 3) if p.cores_per_worker == 2)
    profile = dataclasses.replace(
        profile, app=app, family=family, cores_per_worker=cores, inputs={}
    )
    return Run(profile, began, began + seconds)


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def keep(store, seen=SEEN, under=None, **changes):
    under = under or settings()
    decision = dataclasses.replace(decide(seen, under), **changes)
    store.add_decision(decision, store.add_observation(seen), under)
    return decision


def states(store, *runs, since=0.0, until=2000.0):
    return label_steps(TrainingStore(store.engine), runs, since, until)


@pytest.mark.parametrize(("seconds", "missed"), [(299.0, 0.0), (301.0, 1.0)])
def test_the_target_followed_is_labelled_by_how_the_application_ended(store, seconds, missed):
    decision = keep(store, mode=Mode.AUTO)
    made, counts = states(store, run(seconds=seconds))
    assert counts == {USED: 1}
    expected = np.zeros(10)
    expected[decision.target - 1] = 1.0
    assert made.weight.tolist() == [expected.tolist()]
    assert made.missed.tolist() == [(missed * expected).tolist()]
    assert made.mask[0, decision.target - 1]


def test_a_suggestion_that_nobody_followed_labels_the_count_that_stayed(store):
    keep(store, mode=Mode.SUGGEST, target=7)
    made, _ = states(store, run())
    assert made.weight[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


PAUSED = settings(pause=Pause(2000.0, "Ann"))
ASKS = settings(mode=Mode.APPROVE)
ENDLESS = dataclasses.replace(SEEN.applications[0], endless=True)


@pytest.mark.parametrize(
    ("seen", "under", "changes", "why"),
    [
        (SEEN, PAUSED, {"target": 5}, "the cluster was paused"),
        (SEEN, ASKS, {"target": 5}, "a person was asked first"),
        (SEEN, settings(), {"held": True}, "too little was known to decide"),
        (observation(2, ENDLESS), settings(), {}, "its application has no limit"),
    ],
)
def test_a_step_that_nobody_took_is_no_label(store, seen, under, changes, why):
    keep(store, seen, under, **changes)
    made, counts = states(store, run())
    assert counts == {why: 1}
    assert len(made) == 0


def test_where_a_persons_word_is_not_needed_the_step_was_taken(store):
    keep(store, SEEN, ASKS, target=2)
    keep(store, SEEN, settings(mode=Mode.APPROVE, pin=Pin(5, 2000.0, "Ann")), target=5)
    made, counts = states(store, run())
    assert counts == {USED: 2}
    assert made.weight.argmax(axis=1).tolist() == [1, 4]


def test_only_the_newest_steps_are_read_and_used(store, monkeypatch):
    monkeypatch.setattr(recorded_steps, "MOST", 2)
    monkeypatch.setattr(recorded_steps, "MOST_READ", 4)
    for second, target in enumerate((3, 4, 5, 6, 7)):
        seen = dataclasses.replace(SEEN, at=1000.0 + second)
        keep(
            store,
            seen if target != 5 else dataclasses.replace(seen, applications=()),
            target=target,
        )
    made, counts = states(store, run())
    assert made.weight.argmax(axis=1).tolist() == [5, 6]
    assert counts == {USED: 2}
    monkeypatch.setattr(recorded_steps, "MOST", 5)
    made, counts = states(store, run())
    assert made.weight.argmax(axis=1).tolist() == [3, 5, 6]
    assert counts == {"not of exactly one application": 1, USED: 3}


def test_the_state_is_what_was_known_then(store):
    work = stage(tasks=100, complete=40)
    keep(store, observation(2, application(work, elapsed_s=100.0, limit_s=50_000.0)))
    alone, _ = states(store, run())
    # Of the same family: the second had not ended when the application began.
    late = run("app-2", began=880.0)
    assert (states(store, run(), late)[0].global_ == alone.global_).all()
    informed, _ = states(store, run(), run("app-3", began=0.0))
    assert (informed.global_ != alone.global_).any()


def test_only_steps_of_the_interval_count(store):
    keep(store)
    assert states(store, run(), since=1000.0, until=1000.1)[1] == {USED: 1}
    assert states(store, run(), since=1000.1)[1] == {}
    assert states(store, run(), until=1000.0)[1] == {}


TWO = observation(2, application(stage()), application(stage(), name="other"))
FRESH = observation(2, application(stage(), elapsed_s=1.0))


@pytest.mark.parametrize(
    ("seen", "runs", "changes", "why"),
    [
        (TWO, [run()], {}, "not of exactly one application"),
        (observation(2), [run()], {}, "not of exactly one application"),
        (observation(2, application(error="no")), [run()], {}, "nothing of its work was seen"),
        (SEEN, [], {}, "its application's end is not known"),
        (SEEN, [run("another")], {}, "its application's end is not known"),
        # A master that starts anew gives an id a second time.
        (SEEN, [run(began=300.0)], {}, "its application's end is not known"),
        (SEEN, [run(family="other")], {}, "its application's end is not known"),
        (SEEN, [run(cores=4)], {}, "of another worker shape"),
        (SEEN, [run()], {"target": 11, "mode": Mode.AUTO}, "its target is none of the network's"),
        (SEEN, [run()], {"target": None, "mode": Mode.AUTO}, "its target is none of the network's"),
        (
            FRESH,
            [run(began=999.0)],
            {"target": 1, "mode": Mode.AUTO},
            "its target is not allowed today",
        ),
    ],
)
def test_a_step_that_does_not_fit_is_counted_and_not_used(store, seen, runs, changes, why):
    keep(store, seen, **changes)
    made, counts = states(store, *runs)
    assert counts == {why: 1}
    assert len(made) == 0


def test_a_step_written_in_another_form_is_counted(store):
    keep(store)
    keep(store)
    with store.engine.begin() as connection:
        table = DecisionRow.__table__
        connection.execute(table.update().where(table.c.id == 1).values(body={"old": True}))
    _, counts = states(store, run())
    assert counts == {USED: 1, "written by another version of Kitwai": 1}


def test_a_profile_comes_back_from_the_store(store):
    training = TrainingStore(store.engine)
    one = run()
    training.add_run("log", "1", one)
    training.add_run("copy", "1", one)
    training.add_run("later", "1", run("app-2", began=1000.0))
    training.set_aside("broken", "1", "it is no log")
    assert training.runs(0.0, 1300.1) == [one]
    assert [found.profile.app for found in training.runs(0.0, 1e9)] == ["app-job", "app-2"]
    assert [found.profile.app for found in training.runs(0.0, 1e9, 1)] == ["app-2"]
    assert isinstance(training.runs(0.0, 1e9)[0].profile, ApplicationProfile)
    assert training.reasons() == {"broken": "it is no log"}
    assert training.fingerprints() == {"log": "1", "copy": "1", "later": "1", "broken": "1"}
    training.set_aside("log", "2", "it was cut")
    training.set_aside("copy", "2", "it was cut")
    assert training.runs(0.0, 1300.1) == []
