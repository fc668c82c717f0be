"""Observation -> decision, as a table: what was seen, the target, and words of the reason."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import application, executor, observation, pool_worker, settings, stage, worker
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import PRICES, Values
from kitwai.core.records.observation import Part, Past, WorkerState


class FixedPolicy:
    """Prefers one target, as a checkpoint might."""

    version = "v7"
    max_targets = 10

    prices = PRICES

    def __init__(self, target: int, value: float = 1.0):
        self.target, self.value = target, value

    def values(self, state):
        q = np.zeros((1, 10))
        q[0, self.target - 1] = self.value
        return Values(np.zeros_like(q), np.zeros_like(q), q, np.array([True]))


# 60 of 100 tasks left of 5 s: 300 slot-seconds, or 150 s at one worker of two slots.
HALFWAY = stage(tasks=100, complete=40, task_s=5.0)
LONG = stage(tasks=400, complete=100, task_s=5.0)
# 40 s of work for each unit of size, in 400 tasks.
RUNS = [
    Record(
        inputs={"size": size},
        stage_work_s=np.array([40.0 * size]),
        stage_tasks=np.array([400.0]),
        gap_s=np.zeros(1),
        level=np.full(10, np.log(40.0 * size)),
        loss=np.zeros(10),
    )
    for size in (10.0, 20.0, 40.0)
]
LATE_AT_ONE = application(HALFWAY, elapsed_s=100.0, limit_s=200.0)


@pytest.mark.parametrize(
    ("seen", "changes", "target", "words"),
    [
        pytest.param(observation(1, LATE_AT_ONE), {}, 3, "of 200 s (its own limit", id="scale out"),
        pytest.param(
            observation(10, application(LONG, elapsed_s=50.0)),
            {},
            4,
            "of 300 s (the cluster's limit",
            id="scale in where fewer are cheaper",
        ),
        pytest.param(
            observation(1, LATE_AT_ONE),
            {"most": 1},
            1,
            "No count up to 1 is predicted to meet the limit",
            id="N = 1 works",
        ),
        pytest.param(
            observation(2, application(HALFWAY, elapsed_s=290.0, limit_s=300.0)),
            {},
            9,  # 10 would end 2.6 s earlier
            "No count up to 10 is predicted to meet the limit",
            id="out of reach: as fast as it gets",
        ),
        pytest.param(
            observation(1, application(HALFWAY, elapsed_s=100.0, limit_s=200.0, max_workers=2)),
            {},
            2,
            "2 of at most 2 workers",
            id="an application's own N",
        ),
        pytest.param(
            observation(2, application(stage(tasks=10, active=4))),
            {},
            2,
            "this is a guess",
            id="nothing known yet",
        ),
        pytest.param(
            observation(4, application(stage(tasks=9, complete=9, status="COMPLETE"), idle_s=4.0)),
            {},
            4,
            "has run no job for 4 s, less than 30 s",
            id="between two jobs",
        ),
        pytest.param(
            observation(4, application(idle_s=400.0)),
            {},
            1,
            "has run no job for 400 s: one worker stays",
            id="waits for a person",
        ),
        pytest.param(
            observation(4, application()), {}, 4, "cannot be predicted", id="nothing submitted yet"
        ),
        pytest.param(
            observation(2, application(error="its driver timed out")),
            {},
            2,
            "its driver timed out",
            id="driver unreadable",
        ),
        pytest.param(
            observation(3, past=Past(idle_s=5.0)), {}, 3, "quiet time of 30 s", id="not quiet yet"
        ),
        pytest.param(
            observation(3, past=Past(idle_s=31.0)), {}, 1, "has run for 31 s", id="quiet: smallest"
        ),
        pytest.param(
            observation(3, past=Past(idle_s=31.0)),
            {"min_workers": 2},
            2,
            "has run for 31 s",
            id="quiet: min_workers",
        ),
        pytest.param(
            observation(1, past=Past(idle_s=5.0)),
            {"min_workers": 2},
            2,
            "has run for 5 s",
            id="min_workers does not wait for the quiet time",
        ),
        pytest.param(
            observation(6, past=Past(idle_s=5.0)),
            {"most": 4},
            6,
            "Held at 6",
            id="a hold is a hold",
        ),
        pytest.param(
            observation(
                1, LATE_AT_ONE, past=Past(since_scale_out_s=3.0, operation="A scaling by process 7")
            ),
            {},
            1,
            "A scaling by process 7 is still under way",
            id="one operation at a time",
        ),
        pytest.param(
            observation(1, LATE_AT_ONE, past=Past(since_scale_out_s=3.0)),
            {},
            3,
            "3 of at most 10",
            id="a limit in danger does not wait for the cooldown",
        ),
        pytest.param(
            observation(10, application(LONG, elapsed_s=50.0), past=Past(since_scale_out_s=12.0)),
            {},
            10,
            "The last scaling was 12 s ago",
            id="cooldown before scaling in",
        ),
    ],
)
def test_target_and_reason(seen, changes, target, words):
    decision = decide(seen, settings(**changes))
    assert decision.target == target, decision.reason
    assert words in decision.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"applications": None, "parts": (Part("applications", None, "timed out"),)}, "timed out"),
        ({"pool": None, "parts": (Part("pool", None, "no such folder"),)}, "no such folder"),
        ({"pool": None}, "the pool gave no answer"),
    ],
)
def test_a_partial_observation_holds_the_present_count(changes, words):
    decision = decide(observation(3, LATE_AT_ONE, **changes), settings())
    assert decision.target == 3
    assert words in decision.reason


def test_without_a_master_nothing_is_touched():
    seen = observation(
        2, workers=None, applications=None, parts=(Part("master", None, "connection refused"),)
    )
    decision = decide(seen, settings())
    assert (decision.present, decision.target) == (None, None)
    assert "connection refused" in decision.reason


def test_a_stale_observation_holds():
    decision = decide(observation(1, LATE_AT_ONE), settings(), now=1031.0)
    assert decision.target == 1
    assert "31 s old" in decision.reason


def test_the_champion_decides_and_is_named():
    decision = decide(observation(1, LATE_AT_ONE), settings(), FixedPolicy(5))
    assert (decision.target, decision.policy, decision.checkpoint) == (5, "network", "v7")
    assert decision.fallback is None
    assert decision.applications[0].q_values[4] == 1.0


def test_the_champion_cannot_go_below_what_the_limit_needs():
    decision = decide(observation(2, LATE_AT_ONE), settings(), FixedPolicy(1))
    assert decision.target == 2
    note = decision.applications[0].guardrails[0]
    assert (note.name, note.before, note.after) == ("scale-in below need", 1, 2)


def test_workers_that_would_not_end_it_earlier_are_not_added():
    narrow = stage(tasks=10, complete=8, task_s=5.0)
    seen = observation(4, application(narrow, elapsed_s=20.0, limit_s=200.0))
    decision = decide(seen, settings(), FixedPolicy(6))
    note = decision.applications[0].guardrails[0]
    assert (note.name, note.before, note.after) == ("no gain", 6, 4)
    assert decision.target == 4


def test_no_gain_never_undoes_what_the_limit_needs():
    # Two workers end hardly earlier than one, but one misses the share of the limit that is asked.
    # The tasks are long, so that the second worker still helps after its warm-up.
    app = application(stage(tasks=40, complete=37, task_s=10.0), elapsed_s=1070.0, limit_s=1200.0)
    free = decide(observation(1, app), settings(start_delay_s=0.0), FixedPolicy(2))
    finish = free.applications[0].predicted_finish_s
    assert 0 < finish[0] - finish[1] < 0.01 * 1200.0
    margin = (finish[0] + finish[1]) / 2 / 1200.0
    decision = decide(
        observation(1, app), settings(start_delay_s=0.0, margin=margin), FixedPolicy(2)
    )
    assert decision.target == 2


def test_a_limit_out_of_reach_says_what_would_meet_it():
    decision = decide(observation(2, application(LONG, elapsed_s=50.0)), settings(most=2))
    assert "No count up to 2 is predicted to meet the limit" in decision.reason
    assert "it takes 4 (" in decision.reason


@pytest.mark.parametrize(("max_cores", "most"), [(None, 10), (1, 1), (8, 4), (9, 5), (400, 10)])
def test_no_worker_is_added_of_which_an_application_takes_no_core(max_cores, most):
    app = dataclasses.replace(application(LONG, elapsed_s=50.0), max_cores=max_cores)
    decision = decide(observation(4, app), settings())
    assert decision.applications[0].constraint.max_workers == most
    assert decision.target <= most
    assert ("it takes at most" in decision.reason) == (most < 10)


def test_where_no_more_cores_are_taken_more_workers_are_no_remedy():
    app = dataclasses.replace(application(LONG, elapsed_s=50.0), max_cores=4)
    decision = decide(observation(2, app), settings())
    assert "No count up to 2 is predicted to meet the limit" in decision.reason
    assert "it takes 4 (" not in decision.reason


def test_past_runs_tell_what_to_do_before_the_first_task_has_ended():
    app = dataclasses.replace(application(stage(tasks=400, active=4)), inputs={"size": 50.0})
    seen = observation(2, app)
    guess = decide(seen, settings())
    assert "this is a guess" in guess.reason
    assert guess.applications[0].predicted_finish_s is None
    known = decide(seen, settings(), history={"job": RUNS})
    # 2,000 s of work in 270 s on two slots a worker: four workers, and more for being sure.
    assert 4 <= known.target <= 7
    finish = known.applications[0].predicted_finish_s
    assert finish[0] == pytest.approx(30.0 + 1000.0, rel=0.1)
    other_cores = decide(seen, settings(cores_per_worker=4), history={"job": RUNS})
    assert "this is a guess" in other_cores.reason


PHASES = [
    Record(
        inputs={},
        stage_work_s=np.array([20.0, 300.0]),
        stage_tasks=np.array([20.0, 60.0]),
        gap_s=np.array([3.0, 60.0]),
        level=np.full(10, np.log(320.0)),
        loss=np.zeros(10),
        app=name,
    )
    for name in ("app-1", "app-2", "app-3")
]
"""Two jobs, and the driver alone for a minute between them."""


@pytest.mark.parametrize("idle_s", [1.0, 17.0, 37.0])
def test_while_the_driver_works_past_runs_tell_what_comes_next(idle_s):
    first = replace(
        stage(tasks=20, complete=20, task_s=1.0, status="COMPLETE"), began_s=3.0, ended_s=13.0
    )
    app = application(first, elapsed_s=13.0 + idle_s, idle_s=idle_s, limit_s=125.0)
    known = decide(observation(4, app), settings(most=4), history={"job": PHASES})
    # 60 s of the driver, then 60 tasks of 5 s on eight slots.
    assert known.applications[0].predicted_finish_s[3] == pytest.approx(113.0, rel=0.1)
    assert known.target == 4
    unknown = decide(observation(4, app), settings(most=4))
    assert "has run no job" in unknown.reason


def test_past_runs_tell_what_to_do_before_the_first_job_is_submitted():
    app = application(elapsed_s=6.0, idle_s=6.0, limit_s=125.0)
    known = decide(observation(1, app), settings(most=6), history={"job": PHASES})
    assert known.applications[0].target > 1
    after = [
        replace(stage(number, tasks=20, complete=20, status="COMPLETE"), began_s=3.0, ended_s=13.0)
        for number in range(2)
    ]
    over = application(*after, elapsed_s=60.0, idle_s=37.0, limit_s=125.0)
    # All stages of the past runs are over: nothing more is planned.
    assert (
        "one worker stays"
        in decide(observation(4, over), settings(most=6), history={"job": PHASES}).reason
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_champion_that_answers_nonsense_is_replaced_loudly(value):
    decision = decide(observation(1, LATE_AT_ONE), settings(), FixedPolicy(9, value))
    assert decision.target == 3
    assert decision.applications[0].policy == "forecast"
    assert "not finite" in decision.fallback


def test_a_guess_is_not_bent_by_guardrails_and_makes_nothing_urgent():
    # 3,000 tasks of which none has ended: at 2.5 s each they would be late on one worker.
    crowd = application(stage(tasks=3000, active=2), elapsed_s=1.0, limit_s=300.0)
    past = Past(since_scale_out_s=3.0)
    decision = decide(observation(1, crowd, past=past), settings(), FixedPolicy(5))
    assert "this is a guess" in decision.reason
    assert decision.applications[0].guardrails == ()
    assert decision.applications[0].target == 5
    assert decision.target == 1
    assert "cooldown" in [note.name for note in decision.guardrails] or "ago" in decision.reason


def test_a_champion_abstains_above_the_targets_it_knows():
    decision = decide(observation(1, LATE_AT_ONE), settings(most=20), FixedPolicy(9))
    assert decision.applications[0].policy == "forecast"
    assert "at most 10 workers" in decision.fallback
    assert len(decision.applications[0].q_values) == 20


def test_an_unreadable_limit_of_its_own_holds_the_application():
    fault = "spark.kitwai.timeLimit: 'soon' is not a time."
    seen = observation(2, LATE_AT_ONE, parts=(Part("application app-job limit", None, fault),))
    decision = decide(seen, settings())
    assert decision.target == 2
    assert fault in decision.reason


def test_without_a_champion_the_decision_says_so():
    decision = decide(observation(1, LATE_AT_ONE), settings(), None, no_policy_reason="no file")
    assert (decision.policy, decision.fallback) == ("forecast", "no file")


def test_several_applications_add_up_to_at_most_n():
    one = application(HALFWAY, elapsed_s=100.0, limit_s=200.0, name="one", executors=(executor(0),))
    two = application(HALFWAY, elapsed_s=100.0, limit_s=200.0, name="two", executors=(executor(1),))
    decision = decide(observation(2, one, two), settings())
    assert [a.target for a in decision.applications] == [3, 3]
    assert decision.target == 6
    assert decide(observation(2, one, two), settings(most=5)).target == 5


def test_what_waits_in_line_and_is_known_to_be_in_time_asks_for_nobody_new():
    waiting = [
        dataclasses.replace(application(stage(tasks=400), name=name), inputs={"size": 15.0})
        for name in ("one", "two", "three")
    ]
    known = {one.name: RUNS for one in waiting}
    decision = decide(observation(6, *waiting), settings(most=10), history=known)
    assert all(one.predicted_finish_s for one in decision.applications)
    assert [one.target for one in decision.applications] == [6, 6, 6]
    assert decision.target == 6


def beside_another(elapsed_s: float, **changes):
    """A job on two workers of six; another has the rest."""
    two = (executor(0), executor(1))
    one = application(HALFWAY, elapsed_s=elapsed_s, limit_s=200.0, executors=two, name="one")
    rest = tuple(executor(number) for number in (2, 3, 4, 5))
    other = application(HALFWAY, elapsed_s=10.0, executors=rest, name="other")
    return with_counts(observation(6, one, other, **changes))


def test_an_application_beside_another_is_predicted_with_its_own_workers():
    alone = with_counts(observation(2, application(HALFWAY, elapsed_s=100.0, limit_s=200.0)))
    first = decide(beside_another(100.0), settings()).applications[0]
    expected = decide(alone, settings()).applications[0]
    assert first.predicted_finish_s == expected.predicted_finish_s
    assert first.target == expected.target


def test_a_limit_in_danger_is_judged_with_the_applications_own_workers():
    # In time on six workers, late on the two that it has: it does not wait for the cooldown.
    decision = decide(beside_another(140.0, past=Past(since_scale_out_s=3.0)), settings())
    finish = decision.applications[0].predicted_finish_s
    assert finish[5] < 200.0 < finish[1]
    assert decision.target > 6


def test_workers_that_leave_are_not_an_applications_own():
    leaving = tuple(pool_worker(n, draining_since=990.0 if n == 1 else None) for n in range(6))
    seen = beside_another(100.0, pool=leaving)
    assert [one.host for one in seen.serving_for(seen.applications[0])] == [worker(0).host]
    silent = dataclasses.replace(seen.applications[0], executors=None)
    assert seen.serving_for(silent) == seen.serving


@pytest.mark.parametrize(
    ("stages", "changes"),
    [
        pytest.param([], {"error": "its driver timed out"}, id="driver silent"),
        pytest.param([], {"idle_s": 4.0}, id="between two jobs"),
        pytest.param([], {}, id="no work shown"),
        pytest.param([stage(tasks=10)], {}, id="queued behind another"),
    ],
)
def test_applications_that_are_held_ask_for_nobody_new(stages, changes):
    silent = [application(*stages, name=name, **changes) for name in ("one", "two", "three")]
    decision = decide(observation(3, *silent), settings(most=18))
    assert [one.target for one in decision.applications] == [3, 3, 3]
    assert decision.target == 3
    assert "ask for nobody new: 3 in all" in decision.reason
    assert decision.guardrails == ()
    # What another asks for beyond its own two workers comes on top of those that are there.
    late = application(
        HALFWAY, elapsed_s=150.0, limit_s=200.0, executors=(executor(0), executor(1))
    )
    alone = decide(observation(2, late), settings(most=18)).target
    assert alone > 2
    decision = decide(observation(3, late, *silent), settings(most=18))
    assert decision.target == 3 + alone - 2
    # Where nothing is there, it is not one worker for each that is held.
    assert decide(observation(0, *silent), settings(most=18)).target == 1


def test_a_broken_neighbour_does_not_change_the_healthy_ones_target():
    healthy = application(HALFWAY, elapsed_s=100.0, limit_s=200.0, name="one")
    alone = decide(observation(1, healthy), settings())
    broken = application(name="two", error="garbage", executors=())
    together = decide(observation(1, healthy, broken), settings())
    assert together.applications[0].target == alone.applications[0].target


def test_a_lost_worker_does_not_count_although_the_master_still_lists_it():
    seen = observation(
        3, LATE_AT_ONE, pool=(*map(pool_worker, (0, 1)), pool_worker(2, alive=False))
    )
    assert seen.present == 2


def test_starting_and_draining_workers():
    seen = observation(
        2,
        workers=(worker(0), worker(1), worker(2, WorkerState.DECOMMISSIONED)),
        pool=(
            pool_worker(0),
            pool_worker(1, draining_since=990.0),
            pool_worker(2, draining_since=980.0),
            pool_worker(3),
        ),
    )
    assert [w.id for w in seen.serving] == ["worker-0"]
    assert [w.name for w in seen.starting] == ["worker-3"]
    assert seen.present == 2


@given(
    workers=st.integers(0, 12),
    most=st.integers(1, 12),
    tasks=st.integers(0, 500),
    complete=st.integers(0, 500),
    active=st.integers(0, 20),
    elapsed=st.floats(0, 2000),
    limit=st.floats(1, 2000),
    preferred=st.integers(1, 10),
)
def test_targets_lie_in_bounds(workers, most, tasks, complete, active, elapsed, limit, preferred):
    complete = min(complete, tasks)
    active = min(active, tasks - complete)
    app = application(
        stage(tasks=tasks, complete=complete, active=active), elapsed_s=elapsed, limit_s=limit
    )
    decision = decide(observation(workers, app), settings(most), FixedPolicy(preferred))
    assert 1 <= decision.target <= most
    assert decision.reason.endswith(".")
    assert "\n" not in decision.reason


def test_the_same_observation_gives_the_same_decision():
    seen = observation(1, LATE_AT_ONE)
    assert decide(seen, settings(), FixedPolicy(4)) == decide(seen, settings(), FixedPolicy(4))
