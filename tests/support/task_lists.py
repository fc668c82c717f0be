"""Lists of tasks as a driver gives them, made to fit the stages that it lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from kitwai_lab.bench.task_lists import quantiles, task

SLOTS = ("0", "1", "0", "1")
"""The executor of each task slot: two executors of two cores."""


def tasks_of(stage: Mapping[str, Any], first_id: int) -> list[dict[str, Any]]:
    """The tasks of a stage in Spark's JSON form: so many of each kind as it says.

    Their run times sum up to the stage's, and each slot runs them one after another.
    """
    complete, run_ms = stage["numCompleteTasks"], stage["executorRunTime"]
    if "firstTaskLaunchedTime" not in stage:
        return []
    each = run_ms // max(complete, 1)
    began = datetime.strptime(stage["firstTaskLaunchedTime"], "%Y-%m-%dT%H:%M:%S.%fGMT")
    free = [began.replace(tzinfo=UTC).timestamp()] * len(SLOTS)
    kinds = (
        ["SUCCESS"] * complete
        + ["FAILED"] * stage["numFailedTasks"]
        + ["RUNNING"] * stage["numActiveTasks"]
    )
    tasks = []
    for number, status in enumerate(kinds):
        ms = each + (run_ms - each * complete if number == 0 else 0)
        slot = min(range(len(SLOTS)), key=lambda slot: free[slot])
        tasks.append(task(first_id + number, SLOTS[slot], free[slot], ms, status))
        free[slot] += ms / 1000.0
    return tasks


def lists_of(stages: Iterable[Mapping[str, Any]]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """By stage and attempt, its tasks. Task ids count on over the application."""
    lists: dict[tuple[int, int], list[dict[str, Any]]] = {}
    first_id = 0
    for stage in sorted(stages, key=lambda stage: (stage["stageId"], stage["attemptId"])):
        lists[stage["stageId"], stage["attemptId"]] = tasks = tasks_of(stage, first_id)
        first_id += len(tasks)
    return lists


def page(tasks: Sequence[Mapping[str, Any]], query: str) -> list[Mapping[str, Any]]:
    """The part of a list that ``offset`` and ``length`` of a query ask for, as Spark gives it."""
    asked = parse_qs(query)
    offset, length = int(asked.get("offset", ["0"])[0]), int(asked.get("length", ["20"])[0])
    return list(tasks[offset : offset + max(length, 0)])


def summary(tasks: Iterable[Mapping[str, Any]], query: str) -> dict[str, Any] | None:
    """The quantiles of the times of finished tasks; None without such tasks: Spark answers 404."""
    shares = [float(share) for share in parse_qs(query)["quantiles"][0].split(",")]
    return quantiles(shares, tasks)
