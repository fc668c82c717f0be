"""What a Spark event log tells of failures: attempts of tasks and stages.

`kitwai.event_log` reads what training needs, which is the first success of each task of an ended
application. This module reads the rest, line by line with the json module alone. So it also serves
to check the product's reader.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_NO_FAILURE = ("Success", "TaskKilled", "TaskCommitDenied")
"""Reasons of a task's end that are no failure: Spark itself takes tasks back."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What an application lost. All fields are counts.

    ``tasks``: the application's tasks, each once; ``failed_tasks``: attempts that failed;
    ``fetch_failures``: those of them that could not reach shuffle blocks; ``retried_stages``:
    attempts of stages after the first; ``recomputed_tasks``: successes after a task's first.
    """

    tasks: int
    failed_tasks: int
    fetch_failures: int
    retried_stages: int
    recomputed_tasks: int


def read_events(lines: Iterable[str | bytes], kind: str | None = None) -> Iterator[dict[str, Any]]:
    """The events of an event log, in order.

    :param lines: of the event log; the last one may be cut off and is left out then.
    :param kind: only events of this name without ``SparkListener``, such as ``TaskEnd``.
    """
    for line in lines:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if kind is None or event["Event"] == f"SparkListener{kind}":
            yield event


def succeeded_task(event: dict[str, Any]) -> tuple[int, int] | None:
    """Stage and index of the task that succeeded with this event; None for any other event."""
    if event["Event"] != "SparkListenerTaskEnd":
        return None
    if event["Task End Reason"]["Reason"] != "Success":
        return None
    # The partition is the same in each attempt of the stage; before Spark 3.3 only the index is
    # told.
    task = event["Task Info"]
    return event["Stage ID"], task.get("Partition ID", task["Index"])


def read_losses(lines: Iterable[str | bytes]) -> Losses:
    """Count what an application lost.

    :param lines: of its event log.
    """
    ends: Counter[str] = Counter()
    successes: Counter[tuple[int, int]] = Counter()
    attempts: set[tuple[int, int]] = set()
    for event in read_events(lines):
        if event["Event"] == "SparkListenerStageSubmitted":
            stage = event["Stage Info"]
            attempts.add((stage["Stage ID"], stage["Stage Attempt ID"]))
        elif event["Event"] == "SparkListenerTaskEnd":
            ends[event["Task End Reason"]["Reason"]] += 1
            if (task := succeeded_task(event)) is not None:
                successes[task] += 1
    return Losses(
        tasks=len(successes),
        failed_tasks=sum(count for reason, count in ends.items() if reason not in _NO_FAILURE),
        fetch_failures=ends["FetchFailed"],
        retried_stages=sum(1 for _, attempt in attempts if attempt > 0),
        recomputed_tasks=sum(count - 1 for count in successes.values()),
    )
