"""What an application lost, by its event log: failed tasks, tasks done twice, stages retried."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Losses:
    """``failed_tasks``: attempts that failed, ``fetch_failures`` among them because shuffle blocks
    were out of reach; ``retried_stages``: attempts of stages beyond each one's first;
    ``recomputed_tasks``: tasks that succeeded more than once. ``tasks`` is how many there were.
    """

    tasks: int
    failed_tasks: int
    fetch_failures: int
    retried_stages: int
    recomputed_tasks: int


def read_losses(event_log: str) -> Losses:
    """Count them in the text of an application's event log."""
    reasons: Counter[str] = Counter()
    succeeded: Counter[tuple[int, int]] = Counter()
    attempts: set[tuple[int, int]] = set()
    for line in event_log.splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerStageSubmitted":
            stage = event["Stage Info"]
            attempts.add((stage["Stage ID"], stage["Stage Attempt ID"]))
        if event["Event"] != "SparkListenerTaskEnd":
            continue
        reason = event["Task End Reason"]["Reason"]
        reasons[reason] += 1
        if reason == "Success":
            # Index within the stage, the same in every attempt.
            index = event["Task Info"].get("Partition ID", event["Task Info"]["Index"])
            succeeded[event["Stage ID"], index] += 1
    return Losses(
        tasks=len(succeeded),
        failed_tasks=sum(
            count for reason, count in reasons.items() if reason not in ("Success", "TaskKilled")
        ),
        fetch_failures=reasons["FetchFailed"],
        retried_stages=sum(1 for _, attempt in attempts if attempt > 0),
        recomputed_tasks=sum(count - 1 for count in succeeded.values()),
    )
