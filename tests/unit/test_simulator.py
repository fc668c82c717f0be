from __future__ import annotations

import itertools

import numpy as np
import pytest

from kitwai.core.estimate import remaining_work
from kitwai.core.observation import Application, Stage
from kitwai.core.policy import MISS_PENALTY, AnalyticPolicy
from kitwai.core.state import encode, state_of
from kitwai.sim.episodes import LIMIT_GRID_S, draw_episodes, greedy_targets
from kitwai.sim.judging import Judge, follow, guarded
from kitwai.sim.library import Library
from kitwai.sim.profile import ApplicationProfile, StageProfile
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles

QUICK = SimulatorConfig(drain_s=0.0)


def profile(*stages: StageProfile, cores: int = 2, **changes) -> ApplicationProfile:
    return ApplicationProfile("app", "family", {}, cores, stages, "test", **changes)


def stage(number, parents, tasks, seconds, gap_s=0.0) -> StageProfile:
    return StageProfile(number, tuple(parents), (seconds * 1000.0,) * tasks, gap_s * 1000.0)


def simulator(one, workers, limit_s=300.0, rows=1, config=None) -> Simulator:
    made = Simulator(Library([one]), rows, config)
    made.reset(np.zeros(rows, int), np.full(rows, workers), np.full(rows, limit_s))
    return made


def run(made: Simulator, targets) -> float:
    """Hold ``targets`` to the end; the sum of the rewards of the first row."""
    total = 0.0
    while not made.done.all():
        total += made.step(np.asarray(targets)).reward[0]
    return total


@pytest.mark.parametrize(
    ("one", "finish_s"),
    [
        # 4 slots from the start: 8 tasks are two waves.
        (profile(stage(0, [], 8, 10.0)), 20.0),
        (profile(stage(0, [], 9, 10.0)), 30.0),
        (profile(stage(0, [], 4, 10.0), stage(1, [0], 4, 5.0)), 15.0),
        (profile(stage(0, [], 4, 10.0, gap_s=3.0), stage(1, [0], 4, 5.0, gap_s=1.0)), 19.0),
        # Branches of one job overlap; a job of its own waits for the one before.
        (profile(stage(0, [], 2, 10.0), stage(1, [], 2, 10.0), stage(2, [0, 1], 1, 1.0)), 11.0),
        (profile(stage(0, [], 2, 10.0), stage(1, [], 2, 10.0)), 20.0),
        (profile(stage(0, [], 8, 10.0), slowdown={4: 1.5}), 30.0),
    ],
)
def test_finish_times_worked_out_by_hand(one, finish_s):
    made = simulator(one, 2)
    run(made, [2])
    assert made.finish_s[0] == pytest.approx(finish_s)
    assert made.worker_seconds[0] == pytest.approx(2 * finish_s)


def test_new_workers_take_tasks_after_the_start_delay_and_cost_from_the_request():
    # 40 tasks of 10 s on 4 slots; from 15 s on there are 8.
    made = simulator(profile(stage(0, [], 40, 10.0)), 4)
    run(made, [4])
    # 8 tasks started by 10 s; from 15 s on waves of 4 at 15, 20, 25, ...: 32 tasks, 8 waves.
    assert made.finish_s[0] == pytest.approx(60.0)
    assert made.worker_seconds[0] == pytest.approx(4 * 60.0)
    assert made.operations[0] == 1


def test_a_worker_that_leaves_ends_its_tasks_drains_and_is_paid_until_then():
    made = simulator(profile(stage(0, [], 100, 10.0)), 2, config=SimulatorConfig(drain_s=20.0))
    made.step(np.array([2]))
    made.step(np.array([1]))
    # Told at 15 s, its tasks end at 20 s, its blocks are moved at 40 s.
    made.step(np.array([1]))
    assert made.worker_seconds[0] == pytest.approx(45.0 + 40.0)
    assert made.workers[0] == 1


def test_a_worker_told_to_leave_while_starting_costs_until_then_alone():
    made = simulator(profile(stage(0, [], 100, 10.0)), 4, config=SimulatorConfig(start_delay_s=30))
    made.step(np.array([4]))
    made.step(np.array([2]))
    assert made.worker_seconds[0] == pytest.approx(2 * 30.0 + 2 * 15.0)
    assert made.workers[0] == 2


def test_all_work_is_done_exactly_once_whatever_the_targets():
    profiles = synthetic_profiles(40, seed=11)
    library = Library(profiles)
    rng = np.random.default_rng(0)
    made = Simulator(library, 40)
    most = rng.integers(1, 11, size=40)
    made.reset(np.arange(40), most, np.full(40, 300.0))
    complete_before = np.zeros_like(made.shown()[2])
    while not made.done.all():
        made.step(rng.integers(1, 11, size=40))
        tasks, active, complete, run_s = made.shown()
        assert (complete >= complete_before).all()
        assert (complete + active <= tasks).all()
        assert (run_s >= -1e-9).all()
        assert (made.workers <= most).all()
        complete_before = complete
    assert (complete == library.tasks).all()
    flat = np.array([not one.slowdown for one in profiles])
    done_s = run_s.sum(axis=1)
    assert done_s[flat] == pytest.approx(library.work_s[flat])
    # No cluster does more work than its slots could.
    assert (done_s <= made.worker_seconds * library.cores + 1e-6).all()


def test_more_workers_are_never_slower_without_contention():
    flat = [one for one in synthetic_profiles(60, seed=5) if not one.slowdown]
    library = Library(flat)
    count = len(flat)
    finishes = []
    for workers in range(1, 11):
        made = Simulator(library, count)
        made.reset(np.arange(count), np.full(count, 10), np.full(count, 300.0))
        run(made, np.full(count, workers))
        finishes.append(made.finish_s)
    # Greedy list scheduling has anomalies (Graham 1969), each smaller than one task.
    longest = np.array([max(max(s.task_ms) for s in one.stages) / 1000.0 for one in flat])
    for fewer, more in itertools.pairwise(finishes):
        assert (more <= fewer + longest).all()
    assert np.mean([m <= f + 1e-9 for f, m in itertools.pairwise(finishes)]) > 0.9


@pytest.mark.parametrize(("limit_s", "late_s"), [(200.0, 0.0), (80.0, 20.0), (100.0, 0.0)])
def test_the_rewards_add_up_to_cost_penalty_and_lateness(limit_s, late_s):
    made = simulator(profile(stage(0, [], 40, 10.0)), 2, limit_s)
    total = run(made, [2])
    assert made.finish_s[0] == pytest.approx(100.0)
    cost = made.worker_seconds[0] / (2 * limit_s)
    missed = MISS_PENALTY * (1 + late_s / limit_s) if late_s else 0.0
    assert total == pytest.approx(-cost - missed)


def test_the_end_is_the_only_terminal_state_and_is_told_once():
    made = simulator(profile(stage(0, [], 40, 10.0)), 1, limit_s=30.0)
    results = [made.step(np.array([1])) for _ in range(20)]
    assert [bool(one.done[0]) for one in results] == [n == 13 for n in range(20)]
    assert all(one.reward[0] == 0.0 for one in results[14:])
    assert made.now[0] == made.finish_s[0] == pytest.approx(200.0)


@pytest.mark.parametrize("asked", [-3, 0, 1, 5, 99])
def test_one_worker_at_most_means_one_whatever_is_asked(asked):
    made = simulator(profile(stage(0, [], 10, 10.0)), 1)
    assert made.workers[0] == 1
    state, _ = made.state()
    assert state.mask[0].tolist() == [True] + [False] * 9
    run(made, [asked])
    assert made.finish_s[0] == pytest.approx(50.0)
    assert made.operations[0] == 0


def test_a_target_far_beyond_the_places_left_by_draining_workers_is_bounded():
    made = simulator(profile(stage(0, [], 5000, 2.0)), 10, config=SimulatorConfig(drain_s=600.0))
    for target in [10, 10, 1, 10, 1, 10, 1]:
        made.step(np.array([target]))
        assert 1 <= made.workers[0] <= 10


def application_of(made: Simulator, row: int) -> Application:
    """What Spark's REST API would show of a row."""
    tasks, active, complete, run_s = (array[row] for array in made.shown())
    stages = tuple(
        Stage(
            id=n,
            status="COMPLETE" if complete[n] == tasks[n] else "ACTIVE" if active[n] else "PENDING",
            tasks=int(tasks[n]),
            active=int(active[n]),
            complete=int(complete[n]),
            failed=0,
            run_ms=float(run_s[n]) * 1000.0,
            input_bytes=0,
            shuffle_read_bytes=0,
            shuffle_write_bytes=0,
        )
        for n in range(len(tasks))
        if tasks[n]
    )
    return Application("id", "name", 2, float(made.now[row]), stages=stages)


def test_the_network_sees_in_the_simulator_what_it_sees_live():
    library = Library(synthetic_profiles(30, seed=2))
    rng = np.random.default_rng(1)
    made = Simulator(library, 30)
    most = rng.integers(1, 11, size=30)
    made.reset(np.arange(30), most, rng.choice(LIMIT_GRID_S, size=30))
    compared = 0
    for _ in range(12):
        state, known = made.state()
        features = encode(state)
        for row in np.flatnonzero(~made.done):
            remaining = remaining_work(application_of(made, row))
            assert (remaining is not None) == known[row]
            if remaining is None:
                continue
            live = state_of(
                remaining,
                workers=int(made.workers[row]),
                max_workers=int(most[row]),
                limit_s=float(made.limit_s[row]),
                elapsed_s=float(made.now[row]),
                cores=int(library.cores[row]),
                start_delay_s=made.config.start_delay_s,
            )
            assert encode(live)[0] == pytest.approx(features[row], abs=1e-9)
            compared += 1
        made.step(rng.integers(1, 11, size=30))
    assert compared > 100


def test_the_present_count_is_held_while_nothing_is_known():
    made = simulator(profile(stage(0, [], 400, 40.0)), 7)
    for _ in range(3):
        state, known = made.state()
        assert not known[0]
        targets = greedy_targets(AnalyticPolicy(), state, known)
        assert targets[0] == 2
        made.step(targets)
    state, known = made.state()
    assert known[0]
    assert greedy_targets(AnalyticPolicy(), state, known)[0] == 7


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
        assert one.reward[1] == other.reward[0]
    assert made.finish_s[1] == alone.finish_s[0]


def test_judging_finds_the_best_static_and_relates_to_it():
    library = Library([profile(stage(0, [], 80, 10.0)), profile(stage(0, [], 4000, 10.0))])
    episodes = draw_episodes(library, 2, np.random.default_rng(0))
    episodes.profile[:] = [0, 1]
    episodes.max_workers[:] = 4
    episodes.limit_s[:] = 150.0
    judge = Judge(library, episodes)
    assert judge.feasible.tolist() == [True, False]
    # 800 s of work on 4 slots take 200 s; with a third worker from 15 s on 140 s.
    assert judge.best.tolist() == [3, 4]
    best = judge.judge(judge.hold(judge.best))
    assert (best.hit_rate, best.static_ratio, best.lateness) == (1.0, 1.0, 1.0)
    everything = judge.judge(judge.at_most)
    assert everything.hit_rate == 1.0
    assert everything.static_ratio is not None
    assert everything.static_ratio > 1.0
    analytic = AnalyticPolicy(0.9)
    # The guardrail never asks for less than the analytic policy of its own margin wants.
    assert judge.judge(judge.run(guarded(analytic, 0.9))) == judge.judge(
        judge.run(follow(analytic))
    )
