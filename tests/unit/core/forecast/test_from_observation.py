"""`core.forecast.from_observation`: a live observation as the view a policy is asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import application, executor, observation, stage
from kitwai.core.forecast.from_observation import view_of, with_counts
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Ran

LIMIT = Constraint(6, 300.0)


def seen(workers: int, complete: int, run_s: float, **changes):
    """One look at a job of one stage; ``complete`` tasks took ``run_s`` together."""
    one = replace(stage(tasks=100, complete=complete, active=4), run_ms=run_s * 1000.0)
    return observation(workers, application(replace(one, **changes)))


def ran(looked) -> tuple[Ran, ...]:
    return looked.applications[0].stages[0].ran


def test_at_first_sight_all_is_counted_for_those_that_serve():
    assert ran(with_counts(seen(3, 10, 50.0))) == (Ran(3, 10, 50_000.0),)


def test_what_was_added_is_counted_for_those_that_served_before():
    first = with_counts(seen(2, 10, 50.0))
    second = with_counts(seen(5, 14, 66.0), first)
    # Two workers ran the four tasks that ended since; five serve from now on.
    assert ran(second) == (Ran(2, 14, 66_000.0),)
    third = with_counts(seen(5, 30, 200.0), second)
    assert ran(third) == (Ran(2, 14, 66_000.0), Ran(5, 16, 134_000.0))
    again = with_counts(seen(2, 40, 250.0), third)
    assert ran(again) == (Ran(2, 14, 66_000.0), Ran(5, 26, 184_000.0))


def test_a_new_attempt_of_a_stage_begins_anew():
    first = with_counts(seen(2, 30, 150.0))
    assert ran(with_counts(seen(4, 6, 40.0), first)) == (Ran(2, 6, 40_000.0),)


def test_nothing_new_changes_nothing():
    first = with_counts(seen(2, 10, 50.0))
    assert ran(with_counts(seen(7, 10, 50.0), first)) == ran(first)


def test_a_stage_without_a_finished_task_has_run_on_none():
    assert ran(with_counts(seen(2, 0, 0.0))) == ()


@pytest.mark.parametrize("applications", [None, ()])
def test_where_nothing_is_shown_nothing_is_counted(applications):
    blind = observation(2, applications=applications)
    assert with_counts(blind) == blind
    # What was not seen then is counted for those that serve then.
    assert ran(with_counts(seen(3, 10, 50.0), observation(2, applications=applications))) == (
        Ran(2, 10, 50_000.0),
    )


def test_without_a_master_nobody_is_named():
    blind = replace(seen(2, 10, 50.0), workers=None)
    assert ran(with_counts(blind)) == ()
    first = with_counts(seen(3, 4, 20.0))
    # Who served before is known; who serves now is not.
    assert ran(with_counts(replace(seen(2, 10, 50.0), workers=None), first)) == (
        Ran(3, 10, 50_000.0),
    )


def test_a_driver_that_gave_no_answer_is_kept_as_it_is():
    silent = observation(2, application(error="timed out"))
    assert with_counts(silent, seen(2, 3, 9.0)) == silent


def test_stages_are_told_apart_by_application_and_id():
    one = application(stage(0, complete=4), stage(1, complete=2), name="one")
    two = application(stage(0, complete=9), name="two")
    first = with_counts(observation(2, one, two))
    more = replace(one, stages=(stage(0, complete=4), stage(1, complete=8)))
    second = with_counts(observation(4, more, two), with_counts(observation(4, one, two), first))
    counts = [
        [[(each.workers, each.tasks) for each in one.ran] for one in app.stages]
        for app in second.applications
    ]
    assert counts == [[[(2, 4)], [(2, 2), (4, 6)]], [[(2, 9)]]]


@pytest.mark.parametrize(
    "blind",
    [
        {"applications": (application(error="timed out"),)},
        {"applications": None},
        {"workers": None, "applications": None},
        {"applications": ()},
    ],
)
def test_a_look_without_an_answer_hides_nothing_that_was_known_before(blind):
    first = with_counts(seen(2, 10, 50.0))
    second = with_counts(seen(5, 14, 66.0), first)
    silent = with_counts(observation(5, **blind), second, first)
    third = with_counts(seen(5, 30, 200.0), silent, second, first)
    assert ran(third) == (Ran(2, 14, 66_000.0), Ran(5, 16, 134_000.0))


def test_without_the_master_for_one_look_the_counts_stay():
    first = with_counts(seen(2, 10, 50.0))
    second = with_counts(replace(seen(2, 14, 70.0), workers=None), first)
    third = with_counts(seen(5, 20, 100.0), second, first)
    assert ran(third)[0] == Ran(2, 14, 70_000.0)


def test_beside_another_application_only_the_workers_with_its_executors_count():
    def both(count: int, *on: int, complete: int):
        one = application(
            stage(tasks=100, complete=complete),
            executors=tuple(executor(number) for number in on),
            name="one",
        )
        two = application(stage(tasks=50, complete=9), executors=(executor(4),), name="two")
        return observation(count, one, two)

    first = with_counts(both(6, 0, 1, complete=10))
    assert [ran(first), first.applications[1].stages[0].ran] == [
        (Ran(2, 10, 50_000.0),),
        (Ran(1, 9, 45_000.0),),
    ]
    # Those on which it ran then, though the third is gone by now.
    second = with_counts(both(6, 0, 1, 2, complete=20), first)
    third = with_counts(both(6, 0, 1, complete=50), second, first)
    assert ran(third) == (Ran(2, 20, 100_000.0), Ran(3, 30, 150_000.0))


@given(
    looks=st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 9), st.floats(0.0, 1e6)), min_size=1, max_size=8
    )
)
def test_the_parts_add_up_to_the_whole(looks):
    """Rounding alone is never taken for a new attempt of the stage."""
    previous, complete, run_ms, served = [], 0, 0.0, []
    for workers, tasks, more_ms in looks:
        complete, run_ms = complete + tasks, run_ms + (more_ms if tasks else 0.0)
        served += [served[-1] if served else workers] if tasks else []
        now = with_counts(seen(workers, complete, 0.0, tasks=1000, run_ms=run_ms), *previous)
        parts = ran(now)
        assert sum(one.tasks for one in parts) == complete
        assert sum(one.run_ms for one in parts) == pytest.approx(run_ms, rel=1e-9, abs=1e-6)
        previous, served = [now], [workers]
    assert len({one.workers for one in parts}) == len(parts)


def test_two_counts_are_two_cells_of_the_view():
    counted = with_counts(seen(5, 30, 200.0), with_counts(seen(2, 14, 66.0)))
    counted = with_counts(seen(5, 40, 300.0), counted)
    view = view_of(
        counted.applications[0], LIMIT, workers=5, serving=5, cores=2, counts=10, stages=3
    )
    assert view.tasks.tolist() == [[100, 0, 0]]
    assert np.flatnonzero(view.cell_n[0, 0]).tolist() == [2, 5]
    assert view.cell_n[0, 0, [2, 5]].tolist() == [30.0, 10.0]
    assert view.cell_s[0, 0, [2, 5]].tolist() == [200.0, 100.0]
    assert view.cell_n[0, 1:].sum() == 0.0
    assert view.complete.tolist() == [[40, 0, 0]]
    assert view.ended.tolist() == [[False] * 3]
    assert np.isinf(view.began_s[0, 1:]).all()


def test_without_counts_all_is_taken_for_those_that_serve():
    app = application(stage(tasks=10, complete=4, task_s=2.0))
    view = view_of(app, LIMIT, workers=3, serving=2, cores=2, counts=10)
    assert (view.cell_n[0, 0, 2], view.cell_s[0, 0, 2]) == (4.0, 8.0)
    assert (view.workers[0], view.serving[0], view.limit_s[0]) == (3, 2, 300.0)


def test_more_workers_than_are_told_apart_count_as_the_most():
    app = application(replace(stage(tasks=9, complete=5), ran=(Ran(14, 2, 7.0), Ran(12, 3, 5.0))))
    view = view_of(app, LIMIT, workers=14, serving=14, cores=2, counts=10)
    assert (view.cell_n[0, 0, 10], view.cell_s[0, 0, 10]) == (5.0, pytest.approx(0.012))


def test_times_that_spark_does_not_tell_are_unknown():
    app = application(
        replace(stage(2, tasks=4, complete=4, status="COMPLETE"), began_s=1.0, ended_s=9.0),
        replace(stage(0, tasks=4, complete=2), began_s=9.5, ended_s=11.0),
        stage(1, tasks=4, status="PENDING"),
    )
    view = view_of(app, LIMIT, workers=2, serving=2, cores=2, counts=10)
    # In the order of their ids.
    assert view.complete.tolist() == [[2, 0, 4]]
    assert view.began_s.tolist() == [[9.5, np.inf, 1.0]]
    # An end before the end is that of an earlier attempt.
    assert view.ended_s.tolist() == [[np.inf, np.inf, 9.0]]
    assert view.ended.tolist() == [[False, False, True]]


def test_an_application_that_shows_nothing():
    view = view_of(application(), LIMIT, workers=2, serving=2, cores=2, counts=10)
    assert view.tasks.tolist() == [[0]]
    assert not view.ended.any()


def test_the_jobs_are_those_that_the_driver_told_and_one_where_nobody_did():
    seen = application(stage(tasks=4))
    views = [
        view_of(one, LIMIT, workers=2, serving=2, cores=2, counts=10)
        for one in (seen, replace(seen, jobs=3), replace(seen, jobs=0))
    ]
    assert [int(view.jobs[0]) for view in views] == [1, 3, 1]
