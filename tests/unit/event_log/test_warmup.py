"""First tasks are slower: the profile tells it apart, so that other worker counts come out right.

Two kinds of truth: what a slot's first task of all costs, and what its first task of a stage costs.
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import pytest

from event_writer import executor, job, submitted, task, write
from kitwai.event_log.reader import read_event_log
from kitwai.event_log.to_profile import profile_of
from kitwai.event_log.warmup import first_task_cost_ms, warm_up_ms
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

CORES = 2


def run(workers, stages, *, slot_ms, stage_ms):
    """An application on so many workers: its events, and when it ends (in ms after its start).

    ``stages``: for each, its task times; they run one after the other, with no time in between.
    """
    slots = [(1_000, number) for number in range(CORES * workers)]
    used: set[object] = set()
    names = {number: str(number // CORES) for _, number in slots}
    events = [executor(name, 1_000, CORES) for name in sorted(set(names.values()))]
    begin, end = job(0, 1_000, 10**9, {n: [n - 1] if n else [] for n in range(len(stages))})
    events.append(begin)
    at_ms = 1_000
    for stage, times in enumerate(stages):
        events.append(submitted(stage, at_ms))
        slots = [(at_ms, number) for _, number in slots]
        heapq.heapify(slots)
        for index, own_ms in enumerate(times):
            launch, slot = heapq.heappop(slots)
            fresh, new = slot not in used, (slot, stage) not in used
            finish = launch + own_ms + (slot_ms if fresh else stage_ms if new else 0)
            used |= {slot, (slot, stage)}
            events.append(task(stage, index, launch, finish, name=names[slot]))
            heapq.heappush(slots, (finish, slot))
        at_ms = max(finish for finish, _ in slots)
    return [*events, end], at_ms - 1_000


def simulated_ms(profile, workers, first_task_s):
    config = SimulatorConfig(step_s=1e6, start_workers=workers, first_task_s=first_task_s)
    simulator = Simulator(Library([profile]), 1, config)
    one = np.ones(1, dtype=np.int64)
    simulator.reset(0 * one, workers * one, np.full(1, np.inf), start_workers=workers * one)
    simulator.step(workers * one)
    return 1_000 * simulator.finish_s[0]


@pytest.mark.parametrize(
    ("slot_ms", "stage_ms"), [(0, 0), (3_000, 0), (3_000, 1_500), (2_000, 2_000)]
)
def test_a_run_on_three_workers_tells_what_others_take(slot_ms, stage_ms, tmp_path):
    stages = [[500] * 60, [200] * 90, [700] * 48]
    events, end_ms = run(3, stages, slot_ms=slot_ms, stage_ms=stage_ms)
    log = read_event_log(write(tmp_path / "log", *events))
    profile = profile_of(log, source="test")
    first_ms = first_task_cost_ms(log)
    assert first_ms == slot_ms
    assert [stage.stage_first_ms for stage in profile.stages] == [0, stage_ms, stage_ms]
    assert [set(stage.work_ms) for stage in profile.stages] == [{500}, {200}, {700}]
    run_ms = sum(int(stage.table["run_ms"].sum()) for stage in log.ran)
    assert sum(sum(stage.task_ms) for stage in profile.stages) == run_ms
    assert simulated_ms(profile, 3, first_ms / 1_000) == pytest.approx(end_ms, rel=1e-6)
    for workers in (1, 2, 6, 10):
        _, end_ms = run(workers, stages, slot_ms=slot_ms, stage_ms=stage_ms)
        assert simulated_ms(profile, workers, first_ms / 1_000) == pytest.approx(end_ms, rel=0.01)


def test_the_warm_up_of_a_profile_counts_the_whole_time_on_the_slot(tmp_path):
    events, _ = run(3, [[500] * 60, [200] * 90], slot_ms=2_000, stage_ms=0)
    longer = []
    for one in events:
        if one["Event"].endswith("TaskEnd"):
            # The executor's own times leave out that a class is loaded before the run.
            one = one | {"Task Metrics": one["Task Metrics"] | {"Executor Run Time": 100}}
        longer.append(one)
    log = read_event_log(write(tmp_path / "log", *longer))
    assert first_task_cost_ms(log) == 0.0
    assert warm_up_ms(log) == profile_of(log, source="test").warm_up_ms == 2_000.0


def test_a_log_without_both_kinds_of_tasks_tells_no_warm_up(tmp_path):
    events, _ = run(3, [[500] * 6], slot_ms=2_000, stage_ms=0)
    log = read_event_log(write(tmp_path / "log", *events))
    assert warm_up_ms(log) is None
    assert profile_of(log, source="test").warm_up_ms is None


def test_what_the_tasks_show_is_told_apart_from_chance(tmp_path):
    """Task times that vary, first ones no more than others, give no cost of being first."""
    rng = np.random.default_rng(1)
    stages = [[int(ms) for ms in rng.lognormal(6, 0.8, size=50)] for _ in range(20)]
    events, _ = run(3, stages, slot_ms=0, stage_ms=0)
    profile = profile_of(read_event_log(write(tmp_path / "log", *events)), source="test")
    assert sum(stage.stage_first_ms > 0 for stage in profile.stages) <= 1


def test_first_tasks_that_read_more_are_not_slow_for_being_first(tmp_path):
    events, _ = run(3, [[200] * 60, [500] * 60], slot_ms=0, stage_ms=900)
    large = []
    for one in events:
        if one["Event"].endswith("TaskEnd") and one["Task Info"]["Index"] < 6:
            metrics = one["Task Metrics"] | {"Input Metrics": {"Bytes Read": 40}}
            large.append(one | {"Task Metrics": metrics})
        else:
            large.append(one)
    profile = profile_of(read_event_log(write(tmp_path / "log", *large)), source="test")
    assert profile.stages[1].stage_first_ms == 0
    assert profile.stages[1].task_ms == profile.stages[1].work_ms


def test_a_record_of_the_past_counts_first_tasks_once_a_slot(tmp_path):
    from kitwai.sim.past_runs import records_of

    events, _ = run(3, [[500] * 60, [200] * 90], slot_ms=0, stage_ms=1_000)
    profile = profile_of(read_event_log(write(tmp_path / "log", *events)), source="test")
    (record,) = records_of(Library([profile]))
    slots = CORES * np.arange(1, 11)
    # The first stage is the slots' first of all: nothing tells the one cost from the other there.
    np.testing.assert_allclose(np.exp(record.level), 30 + 18 + slots * 1.0)
    plain = replace(profile, stages=tuple(replace(s, stage_first_ms=0) for s in profile.stages))
    (without,) = records_of(Library([plain]))
    np.testing.assert_allclose(np.exp(without.level), 48)
