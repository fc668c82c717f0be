"""`sim.inner_loop`: tasks, workers and losses, on runs worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from kitwai.sim.episodes import calm
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation, Simulator, SimulatorConfig
from kitwai.sim.synthetic import synthetic_profiles
from simulated import profile, run, simulator, stage


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


def in_chance(one, workers, **changes) -> Simulator:
    """A run of which chance has drawn these numbers, and is calm otherwise."""
    made = Simulator(Library([one]), 1)
    calm_row = Realisation.calm(1, np.array([3], dtype=np.uint64))
    drawn = {name: np.array([value]) for name, value in changes.items()}
    realisation = dataclasses.replace(calm_row, **drawn)
    most, limit_s = np.full(1, workers), np.full(1, 300.0)
    made.reset(np.zeros(1, int), most, limit_s, realisation=realisation)
    return made


def test_each_slot_warms_up_once_and_the_view_tells_its_first_tasks_apart():
    one = profile(stage(0, [], 8, 10.0), stage(1, [0], 8, 5.0))
    made = in_chance(one, 2, warm_up=3.0)
    made.step(np.array([2]))  # to 15 s: the first wave has ended at 13 s
    view = made.view()
    assert (view.cell_n[0, 0, 2], view.first_n[0, 0, 2]) == (4.0, 4.0)
    assert view.first_s[0, 0, 2] == pytest.approx(4 * 13.0)
    assert view.age_s[0].tolist() == [pytest.approx(4 * 2.0), 0.0]
    assert view.active_first[0].tolist() == [0.0, 0.0]
    run(made, [2])
    view = made.view()
    assert made.finish_s[0] == pytest.approx(30.0 + 3.0)
    assert view.first_n.sum() == 4.0
    assert view.cell_n.sum() == 16.0


def test_tasks_under_way_say_whether_they_are_their_slots_first():
    made = in_chance(profile(stage(0, [], 8, 20.0)), 2, warm_up=3.0)
    made.step(np.array([2]))
    assert made.view().active_first[0, 0] == 4.0
    assert made.view().age_s[0, 0] == pytest.approx(4 * 15.0)


def test_a_worker_that_comes_later_warms_up_too():
    one = profile(stage(0, [], 100, 10.0))
    plain, warming = simulator(one, 4), in_chance(one, 4, warm_up=3.0)
    for made in (plain, warming):
        run(made, [4])
    assert warming.view().first_n.sum() == 8.0
    assert warming.finish_s[0] > plain.finish_s[0]
    assert warming.view().cell_s.sum() == pytest.approx(plain.view().cell_s.sum() + 8 * 3.0)


def test_start_ups_and_gaps_are_as_long_as_chance_says():
    one = profile(stage(0, [], 40, 10.0))
    late = in_chance(one, 4, start_factor=2.0)
    run(late, [4])
    # Two more workers serve after 30 s. 4 slots have done 12 tasks then, and 8 slots do the rest.
    assert late.finish_s[0] == pytest.approx(70.0)
    two = profile(stage(0, [], 4, 10.0), stage(1, [0], 4, 5.0, gap_s=1.0))
    longer = in_chance(two, 2, gap_more_s=2.0)
    run(longer, [2])
    assert longer.finish_s[0] > 16.0


@pytest.mark.slow
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
