from __future__ import annotations

import numpy as np
import pytest

from kitwai.core.forecast.arrays import View
from kitwai.core.forecast.from_observation import view_of
from kitwai.core.forecast.prior import unknown
from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.policy.state import build_state, encode
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Application, Ran, Stage, Told
from kitwai.sim.episodes import LIMIT_GRID_S, disturbed, grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles
from simulated import profile, run, simulator, stage

QUICK = SimulatorConfig(drain_s=0.0)


def test_the_steps_add_up_to_what_was_spent():
    made = simulator(profile(stage(0, [], 40, 10.0)), 2)
    total = run(made, [2])
    assert made.finish_s[0] == pytest.approx(100.0)
    assert total == made.worker_seconds[0] == pytest.approx(200.0)


def test_the_end_is_the_only_terminal_state_and_is_told_once():
    made = simulator(profile(stage(0, [], 40, 10.0)), 1, limit_s=30.0)
    results = [made.step(np.array([1])) for _ in range(20)]
    assert [bool(one.done[0]) for one in results] == [n == 13 for n in range(20)]
    assert all(one.worker_seconds[0] == 0.0 for one in results[14:])
    assert made.now[0] == made.finish_s[0] == pytest.approx(200.0)


@pytest.mark.parametrize("asked", [-3, 0, 1, 5, 99])
def test_one_worker_at_most_means_one_whatever_is_asked(asked):
    made = simulator(profile(stage(0, [], 10, 10.0)), 1)
    assert made.workers[0] == 1
    run(made, [asked])
    assert made.finish_s[0] == pytest.approx(50.0)
    assert made.operations[0] == 0


def test_a_target_far_beyond_the_places_left_by_draining_workers_is_bounded():
    made = simulator(profile(stage(0, [], 5000, 2.0)), 10, config=SimulatorConfig(drain_s=600.0))
    for target in [10, 10, 1, 10, 1, 10, 1]:
        made.step(np.array([target]))
        assert 1 <= made.workers[0] <= 10


def ran_of(view: View, row: int, n: int) -> tuple[Ran, ...]:
    """The finished tasks of a stage, with the first tasks of their slots apart."""
    first, first_s = view.first_n[row, n], view.first_s[row, n]
    rest, rest_s = view.cell_n[row, n] - first, view.cell_s[row, n] - first_s
    return tuple(
        Ran(workers, int(tasks[workers]), float(run_s[workers]) * 1000.0, first=is_first)
        for is_first, tasks, run_s in ((False, rest, rest_s), (True, first, first_s))
        for workers in np.flatnonzero(tasks)
    )


def application_of(made: Simulator, row: int) -> Application:
    """What Spark's REST API would show of a row."""
    view = made.view()
    stages = tuple(
        Stage(
            id=n,
            status="COMPLETE" if view.ended[row, n] else "ACTIVE",
            tasks=int(view.tasks[row, n]),
            active=int(view.active[row, n]),
            complete=int(view.complete[row, n]),
            failed=0,
            run_ms=float(view.run_s[row, n]) * 1000.0,
            input_bytes=0,
            shuffle_read_bytes=0,
            shuffle_write_bytes=0,
            began_s=float(view.began_s[row, n]) if np.isfinite(view.began_s[row, n]) else None,
            ended_s=float(view.ended_s[row, n]) if view.ended[row, n] else None,
            ran=ran_of(view, row, n),
            told=Told.TASKS,
            running_s=float(view.age_s[row, n]),
            running_first=int(view.active_first[row, n]),
        )
        for n in range(view.tasks.shape[1])
        if view.tasks[row, n]
    )
    jobs = int(view.jobs[row])
    return Application("id", "name", 2, float(made.now[row]), stages=stages, jobs=jobs)


def test_a_policy_sees_in_the_simulator_what_it_sees_live():
    library = Library(synthetic_profiles(30, seed=2))
    rng = np.random.default_rng(1)
    made = Simulator(library, 30)
    most = rng.integers(1, 11, size=30)
    made.reset(np.arange(30), most, rng.choice(LIMIT_GRID_S, size=30))
    prior = unknown(30, 10, library.tasks.shape[1])
    compared = 0
    for _ in range(12):
        state = build_state(made.view(), prior, np.full(30, 5.0), start_delay_s=15.0, drain_s=20.0)
        features = encode(state)
        for row in np.flatnonzero(~made.done):
            view = view_of(
                application_of(made, row),
                Constraint(int(most[row]), float(made.limit_s[row])),
                workers=int(made.workers[row]),
                serving=int(made.serving[row]),
                cores=int(library.cores[row]),
                counts=10,
            )
            live = build_state(
                view,
                unknown(1, 10, view.tasks.shape[1]),
                np.array([5.0]),
                start_delay_s=15.0,
                drain_s=20.0,
            )
            assert live.forecast.known[0] == state.forecast.known[row]
            for ours, theirs in zip(encode(live), features, strict=True):
                assert ours[0] == pytest.approx(theirs[row], abs=1e-6)
            compared += 1
        made.step(rng.integers(1, 11, size=30))
    assert compared > 100


def test_a_fork_runs_on_as_the_row_would():
    library = Library(synthetic_profiles(8, seed=3))
    made = Simulator(library, 8)
    limit = np.full(8, 300.0)
    rng = np.random.default_rng(0)
    made.reset(np.arange(8), np.full(8, 10), limit, realisation=disturbed(8, limit, rng))
    for target in (3, 7, 2):
        made.step(np.full(8, target))
    fork = made.fork(np.array([5, 5, 2]))
    for target in (6, 1, 4):
        fork.step(np.full(3, target))
        made.step(np.full(8, target))
    for name in ("now", "finish_s", "worker_seconds", "workers", "operations"):
        theirs = getattr(made, name)
        assert (getattr(fork, name) == theirs[[5, 5, 2]]).all(), name


def test_every_policy_meets_the_same_stragglers_and_losses():
    library = Library([profile(stage(0, [], 200, 10.0))])
    limit = np.full(4, 300.0)
    rng = np.random.default_rng(7)
    realisation = disturbed(4, limit, rng)
    slow = []
    for workers in (4, 4, 7):
        made = Simulator(library, 4)
        made.reset(np.zeros(4, int), np.full(4, 10), limit, realisation=realisation)
        run(made, np.full(4, workers))
        slow.append((made.finish_s.copy(), made.view().run_s.sum(axis=1)))
    assert (slow[0][0] == slow[1][0]).all()
    undisturbed = ~np.isfinite(realisation.death_s)
    # The same tasks are slow by as much, whatever the count; only a lost worker's run twice.
    assert slow[0][1][undisturbed] == pytest.approx(slow[2][1][undisturbed])


def test_more_workers_are_asked_for_while_no_task_ends():
    made = simulator(profile(stage(0, [], 400, 40.0)), 7, limit_s=600.0)
    targets = []
    for _ in range(3):
        state = build_state(
            made.view(), unknown(1, 10, 1), np.ones(1), start_delay_s=15.0, drain_s=20.0
        )
        assert not state.forecast.told[0]
        targets.append(int(ForecastPolicy().values(state).best(state)[0]))
        made.step(np.array(targets[-1:]))
    assert targets == sorted(targets)
    # Tasks that have run for 30 s of 600 s without an end are long.
    assert targets[0] < targets[2] >= 6


def test_rows_restarted_alone_run_as_if_from_the_start():
    library = Library(synthetic_profiles(6, seed=8))
    made = Simulator(library, 3)
    made.reset(np.array([0, 1, 2]), np.array([4, 4, 4]), np.full(3, 300.0))
    for _ in range(4):
        made.step(np.array([4, 1, 3]))
    made.reset(np.array([5]), np.array([6]), np.array([200.0]), rows=np.array([1]))
    alone = Simulator(library, 1)
    alone.reset(np.array([5]), np.array([6]), np.array([200.0]))
    while not alone.done.all():
        one, other = made.step(np.array([4, 5, 3])), alone.step(np.array([5]))
        assert one.worker_seconds[1] == other.worker_seconds[0]
    assert made.finish_s[1] == alone.finish_s[0]


def test_the_forecast_decides_better_than_a_constant_cluster_of_n():
    library = Library(synthetic_profiles(40, seed=9))
    episodes = grid_episodes(library, "recurring", seed=3, workers=(4, 8), limits_s=(300.0, 600.0))
    judge = Judge(library, episodes)
    ours = judge.judge(judge.run(PolicyController(ForecastPolicy())))
    always = judge.judge(judge.at_most)
    assert ours.hit_rate >= 0.97 * always.hit_rate
    assert ours.static_ratio < 0.8 * always.static_ratio
    assert ours.lateness <= 1.05


def test_a_view_counts_the_jobs_that_have_been_submitted():
    several = next(one for one in synthetic_profiles(60, seed=3) if len(one.jobs) > 2)
    made = Simulator(Library([several]), 1)
    made.reset(np.zeros(1, dtype=np.int64), np.array([10]), np.array([600.0]))
    seen = []
    while not made.done.all():
        seen.append(int(made.view().jobs[0]))
        made.step(np.array([4]), seconds=1.0)
    assert sorted(seen) == seen
    assert sorted(set(seen)) == list(range(1, len(several.jobs) + 1))
