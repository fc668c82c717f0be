"""Counts of an event log, taken apart from the product: each line through the json module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kitwai_lab.event_log import read_events, succeeded_task


@dataclass
class Count:
    stages: int
    tasks: int
    run_ms: int
    span_ms: int | None
    """From the application's start to its end; None where the log does not hold both."""


def count(lines: Iterable[bytes]) -> Count:
    start = end = None
    run_ms: dict[tuple[int, int], int] = {}
    for event in read_events(lines):
        kind = event["Event"]
        if kind == "SparkListenerApplicationStart":
            start = event["Timestamp"]
        elif kind == "SparkListenerApplicationEnd":
            end = event["Timestamp"]
        elif (task := succeeded_task(event)) is not None:
            run_ms.setdefault(task, event["Task Metrics"]["Executor Run Time"])
    span_ms = None if start is None or end is None else end - start
    return Count(len({stage for stage, _ in run_ms}), len(run_ms), sum(run_ms.values()), span_ms)
