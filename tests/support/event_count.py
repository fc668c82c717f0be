"""Counts of an event log, taken apart from the product: every line through the json module."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Count:
    stages: int
    tasks: int
    run_ms: int
    span_ms: int | None
    """From the application's start to its end; None: the log does not hold both."""


def count(lines: Iterable[bytes]) -> Count:
    start = end = None
    run_ms: dict[tuple[int, int], int] = {}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of a log that is cut
        kind = event["Event"]
        if kind == "SparkListenerApplicationStart":
            start = event["Timestamp"]
        elif kind == "SparkListenerApplicationEnd":
            end = event["Timestamp"]
        elif kind == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
            info = event["Task Info"]
            task = event["Stage ID"], info.get("Partition ID", info["Index"])
            run_ms.setdefault(task, event["Task Metrics"]["Executor Run Time"])
    span_ms = None if start is None or end is None else end - start
    return Count(len({stage for stage, _ in run_ms}), len(run_ms), sum(run_ms.values()), span_ms)
