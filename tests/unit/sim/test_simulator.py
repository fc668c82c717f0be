from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from kitwai.core.forecast.from_observation import view_of
from kitwai.core.forecast.prior import unknown
from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.policy.state import build_state, encode
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Application, Ran, Stage
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.sim.episodes import LIMIT_GRID_S, Episodes, calm, disturbed, grid_episodes
from kitwai.sim.judging import Constant, Judge
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController
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
    """Hold ``targets`` to the end; the sum of the first row's worker-seconds."""
    total = 0.0
    while not made.done.all():
        total += made.step(np.asarray(targets)).worker_seconds[0]
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
    complete_before = np.zeros_like(made.view().complete)
    while not made.done.all():
        made.step(rng.integers(1, 11, size=40))
        view = made.view()
        assert (view.complete >= complete_before).all()
        assert (view.complete + view.active <= view.tasks).all()
        assert view.cell_n.sum(axis=2) == pytest.approx(view.complete)
        assert view.cell_s.sum(axis=2) == pytest.approx(view.run_s)
        assert (made.workers <= most).all()
        complete_before = view.complete
    assert (view.complete == library.tasks).all()
    run_s = view.run_s
    flat = np.array([set(one.slowdown.values()) <= {1.0} for one in profiles])
    done_s = run_s.sum(axis=1)
    assert done_s[flat] == pytest.approx(library.work_s[flat])
    # No cluster does more work than its slots could.
    assert (done_s <= made.worker_seconds * library.cores + 1e-6).all()


def test_more_workers_are_never_slower_without_contention():
    flat = [dataclasses.replace(one, slowdown={}) for one in synthetic_profiles(40, seed=5)]
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
            ran=tuple(
                Ran(w, int(count), float(view.cell_s[row, n, w]) * 1000.0)
                for w, count in enumerate(view.cell_n[row, n])
                if count
            ),
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


def test_a_lost_worker_makes_its_tasks_run_again():
    one = profile(stage(0, [], 40, 10.0), stage(1, [0], 40, 10.0))
    made = Simulator(Library([one]), 2)
    chance = dataclasses.replace(
        calm(2, np.random.default_rng(0)), death_s=np.array([np.inf, 95.0])
    )
    made.reset(np.zeros(2, int), np.full(2, 4), np.full(2, 300.0), realisation=chance)
    run(made, np.full(2, 4))
    view = made.view()
    assert (view.complete == 40).all()
    assert made.finish_s[1] > made.finish_s[0]
    assert view.cell_n[0].sum() == 80
    assert view.cell_n[1].sum() > 80


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


def test_judging_finds_the_best_static_and_relates_to_it():
    library = Library([profile(stage(0, [], 80, 10.0)), profile(stage(0, [], 4000, 10.0))])
    nothing = np.zeros(2, dtype=bool)
    episodes = Episodes(
        profile=np.array([0, 1]),
        max_workers=np.array([4, 4]),
        limit_s=np.array([150.0, 150.0]),
        miss=np.full(2, 0.01),
        informed=nothing,
        realisation=calm(2, np.random.default_rng(0)),
    )
    judge = Judge(library, episodes)
    assert judge.feasible.tolist() == [True, False]
    # 800 s of work on 4 slots take 200 s; with a third worker from 15 s on 140 s.
    assert judge.best.tolist() == [3, 4]
    best = judge.judge(judge.run(Constant(judge.best)))
    assert (best.hit_rate, best.static_ratio, best.lateness) == (1.0, 1.0, 1.0)
    everything = judge.judge(judge.at_most)
    assert everything.hit_rate == 1.0
    assert everything.static_ratio is not None
    assert everything.static_ratio > 1.0


@pytest.mark.parametrize("regime", ["recurring", "disturbed"])
def test_constant_clusters_held_in_long_steps_are_those_of_short_steps(regime):
    library = Library(synthetic_profiles(12, seed=4))
    episodes = grid_episodes(library, regime, seed=3, workers=(3, 6), limits_s=(300.0,))
    judge = Judge(library, episodes)
    stepped = judge.run(Constant(None))
    ended = stepped.finish_s < 3 * 300.0
    assert ended.sum() > 12
    assert judge.at_most.finish_s[ended] == pytest.approx(stepped.finish_s[ended])
    assert judge.at_most.worker_seconds[ended] == pytest.approx(stepped.worker_seconds[ended])


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
