from __future__ import annotations

import pytest

from event_writer import executor, job, submitted, task, write
from kitwai.errors import KitwaiError
from kitwai.registry.champion import Champion
from kitwai_lab.bench.real.planning import constant_name, constant_runs
from kitwai_lab.bench.real.record import RunRecord, write_record
from kitwai_lab.bench.real.simulating import profile_of_runs, simulate
from kitwai_lab.demo.measure import Application

TASKS = 24


def add_run(folder, workers: int, task_ms: int) -> None:
    """A constant run of one stage, whose tasks all take as long."""
    name, slots = constant_name(workers), 2 * workers
    until = 2_000 + -(-TASKS // slots) * task_ms
    begin, end = job(0, 1_500, until, {0: []})
    tasks = [
        task(0, index, at, at + task_ms, name=str(index % slots // 2))
        for index in range(TASKS)
        for at in [2_000 + index // slots * task_ms]
    ]
    executors = [executor(str(number), 1_200) for number in range(workers)]
    log = folder / name / "events" / "app-1"
    write(log, *executors, begin, submitted(0, 1_600), *tasks, end, end=until + 100)
    planned = RunRecord("job", name, (), 40.0, 3, 5.0, workers)
    ended = Application(1.0, (until + 100) / 1000.0, 0)
    none = {"scale_outs": (), "scale_ins": (), "step_errors": (), "measured_on": {}}
    write_record(folder / name, planned.ended(ended, (), **none))


@pytest.fixture
def folder(tmp_path):
    """On one worker the tasks take twice as long, as where memory is short."""
    for workers, task_ms in ((1, 6_000), (2, 3_000), (3, 3_000)):
        add_run(tmp_path, workers, task_ms)
    return tmp_path


def test_profile_of_runs_tells_how_much_longer_tasks_take_on_few_workers(folder):
    profile = profile_of_runs(folder, constant_runs(folder))
    assert [len(stage.task_ms) for stage in profile.stages] == [TASKS]
    assert profile.slowdown == pytest.approx({2: 2.0, 4: 1.0, 6: 1.0})


def test_simulated_runs_are_those_of_reality(folder):
    simulated = simulate(folder, Champion(), step_s=15.0)
    finish_s = [run["finish_s"] for run in simulated["constants"].values()]
    # 12, 6 and 4 tasks a slot, and what starting takes.
    assert finish_s == pytest.approx([73.0, 19.0, 13.0], abs=4.0)
    assert [run["hit"] for run in simulated["constants"].values()] == [False, True, True]
    cheapest = min(simulated["constants"][count]["worker_seconds"] for count in ("2", "3"))
    assert simulated["constants"]["1"]["ratio"] == pytest.approx(finish_s[0] / cheapest, abs=0.02)
    for regime in ("unknown", "known"):
        assert simulated[regime]["worker_seconds"] >= simulated[regime]["finish_s"]
        assert simulated[regime]["ratio"] > 0.5


def test_without_a_constant_run_nothing_can_be_simulated(tmp_path):
    with pytest.raises(KitwaiError, match="No constant run"):
        simulate(tmp_path, Champion(), step_s=15.0)
