"""The simulator's constants, measured on real Spark, in seconds.

An application whose tasks all wait equally long runs while workers come and go. Its event log says
when each worker took its first task, when the worker was gone, and what took longer than the
waiting alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from kitwai.event_log.reader import EventLog, Task, read_event_log
from kitwai.event_log.warmup import first_tasks
from kitwai_lab.bench.machine import machine
from kitwai_lab.bench.spark_run import Asked, Change, RealRun, real_cluster

Samples = dict[str, list[float]]

SCHEDULE = (
    Change(20.0, 2),
    Change(40.0, 3),
    Change(60.0, 1),
    Change(80.0, 4),
    Change(110.0, 2),
    Change(130.0, 4),
    Change(155.0, 1),
)
"""One worker comes, twice; two leave; three come at once; two leave; two come; three leave."""

_LAST_S = 20
_STARTS = (1, 2, 3, 4)
_START_S = 12


def calibrate(repeats: int = 2, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure all constants.

    :param repeats: how often the schedule runs, and an application starts at each count.
    :returns: the record that ``sim/spark_constants.json`` holds.
    :raises KitwaiError: the cluster or an application did not work.
    """
    samples: Samples = {}
    loads = []
    with real_cluster() as cluster:
        for _ in range(repeats):
            cluster.keep(1)
            progress("workers come and go")
            run = cluster.run("steady", int(SCHEDULE[-1].at_s) + _LAST_S, SCHEDULE)
            _add(samples, run)
            loads.append(run.load)
            for workers in _STARTS:
                cluster.keep(workers)
                progress(f"an application starts on {workers}")
                run = cluster.run("steady", _START_S)
                _add(samples, run)
                loads.append(run.load)
    return record(samples) | {"machine": machine() | {"loads": [round(load, 2) for load in loads]}}


def record(samples: Samples) -> dict[str, Any]:
    """The constants with their spread.

    A sample ``NAME@COUNT`` is an average over COUNT workers that started together. Such samples
    give two constants: the seconds of a lone worker, and how many more each further worker adds.

    :param samples: seconds by name.
    """
    plain = {name: values for name, values in samples.items() if "@" not in name}
    for name, more in _TOGETHER.items():
        alone = samples[f"{name}@1"]
        plain[name] = alone
        plain[more] = [
            (value - statistics.median(alone)) / (count - 1)
            for count in range(2, _MOST_TOGETHER + 1)
            for value in samples.get(f"{name}@{count}", ())
        ]
    return {
        "source": "kitwai bench calibrate",
        "spark": version("pyspark"),
        "constants": {name: _summary(values) for name, values in sorted(plain.items()) if values},
    }


_MOST_TOGETHER = 8
# Workers that start together share the machine's processors: all of them come later.
_TOGETHER = {
    "start_delay_s": "start_stagger_s",
    "first_task_s": "first_task_stagger_s",
    "application_start_s": "application_stagger_s",
}


def samples_of(log: EventLog, asked: Sequence[Asked]) -> Samples:
    """The samples that one run of the workload ``steady`` gives, in seconds by name.

    :param asked: the changes of the count of workers, as they were carried out.
    """
    tasks: dict[int, list[Task]] = {}
    for stage in log.ran:
        for task in stage.tasks:
            tasks.setdefault(task.executor, []).append(task)
    for mine in tasks.values():
        mine.sort(key=lambda task: task.launch_ms)
    executors = log.executors.values()
    by_host = {executor.host: executor.id for executor in executors if executor.id in tasks}
    late = [by_host[w.host] for change in asked for w in change.started if w.host in by_host]
    samples: Samples = {}

    def add(name: str, values: Iterable[float]) -> None:
        samples.setdefault(name, []).extend(values)

    early = [executor for executor in tasks if executor not in late]
    groups = [(log.start_ms, early, "application_start_s")]
    for change in asked:
        started = [by_host[worker.host] for worker in change.started if worker.host in by_host]
        groups.append((change.at_ms, started, "start_delay_s"))
        for worker in change.drained:
            if worker.host in by_host:
                removed = log.executors[by_host[worker.host]].removed_ms
                last = max(task.finish_ms for task in tasks[by_host[worker.host]])
                if removed is not None:
                    add("drain_s", [(removed - max(last, change.at_ms)) / 1000.0])
    costs = _first_task_costs(log)
    for at_ms, group, name in groups:
        if group:
            delays = [(tasks[executor][0].launch_ms - at_ms) / 1000.0 for executor in group]
            add(f"{name}@{len(group)}", [statistics.mean(delays)])
            first = [cost for executor in group for cost in costs.get(executor, ())]
            if first:
                add(f"first_task_s@{len(group)}", [statistics.mean(first)])
    for mine in tasks.values():
        add("task_overhead_s", _task_overheads(mine, log))
    for name, values in _stage_overheads(log).items():
        add(name, values)
    return samples


def _first_tasks(log: EventLog) -> set[tuple[int, int]]:
    """Stage and index of the tasks with which the slots of executors began."""
    first = first_tasks(log)
    return {
        (task.stage, task.index)
        for stage in log.ran
        for task, is_first in zip(stage.tasks, first[stage.id], strict=True)
        if is_first
    }


def _first_task_costs(log: EventLog) -> dict[int, list[float]]:
    """By executor, the seconds that its first tasks took more than is usual in their stage."""
    first = _first_tasks(log)
    costs: dict[int, list[float]] = {}
    for stage in log.ran:
        rest = [t.finish_ms - t.launch_ms for t in stage.tasks if (t.stage, t.index) not in first]
        for task in stage.tasks:
            if rest and (task.stage, task.index) in first:
                cost = task.finish_ms - task.launch_ms - statistics.median(rest)
                costs.setdefault(task.executor, []).append(cost / 1000.0)
    return costs


def _task_overheads(tasks: Sequence[Task], log: EventLog) -> Iterator[float]:
    """Seconds that a slot spends on a task beyond its run time, until the next task.

    :param tasks: of one executor, in the order of their launch.
    """
    slots = log.executors[tasks[0].executor].slots
    first = _first_tasks(log)
    for stage in {task.stage for task in tasks}:
        mine = [task for task in tasks if task.stage == stage]
        ends = sorted(task.finish_ms for task in mine)
        for task, end in zip(mine[slots:], ends, strict=False):
            if (task.stage, task.index) not in first:
                own = task.finish_ms - task.launch_ms - task.run_ms
                yield (own + task.launch_ms - end) / 1000.0


def _stage_overheads(log: EventLog) -> Samples:
    """Overheads of stages, in seconds by name.

    Two are the time between a stage's end and the next stage's first task, within a job and between
    jobs. The third is what an executor's first tasks in a stage take more than its others.
    """
    overheads: Samples = {"stage_overhead_s": [], "job_overhead_s": [], "stage_first_task_s": []}
    ran, first = log.ran, _first_tasks(log)
    for before, stage in pairwise(ran):
        began = min(task.launch_ms for task in stage.tasks)
        name = "stage_overhead_s" if before.job == stage.job else "job_overhead_s"
        overheads[name].append((began - before.end_ms) / 1000.0)
        firsts, rest = [], []
        for executor in {task.executor for task in stage.tasks}:
            mine = [task for task in stage.tasks if task.executor == executor]
            mine.sort(key=lambda task: task.launch_ms)
            slots = log.executors[executor].slots
            firsts += [task for task in mine[:slots] if (task.stage, task.index) not in first]
            rest += mine[slots:]
        if firsts and rest:
            usual = statistics.median(task.finish_ms - task.launch_ms for task in rest)
            typical = statistics.median(task.finish_ms - task.launch_ms for task in firsts)
            overheads["stage_first_task_s"].append((typical - usual) / 1000.0)
    return overheads


def _add(samples: Samples, run: RealRun) -> None:
    for name, values in samples_of(read_event_log(run.event_log), run.asked).items():
        samples.setdefault(name, []).extend(values)


def _summary(values: Sequence[float]) -> dict[str, float | int]:
    quantiles = np.percentile(values, (10, 50, 90))
    p10, median, p90 = (round(float(quantile), 4) for quantile in quantiles)
    return {"median": median, "p10": p10, "p90": p90, "count": len(values)}
