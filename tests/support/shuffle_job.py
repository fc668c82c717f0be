"""The application `applications/shuffle.py`: how to run it, and whether it lost anything."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from kitwai.pools.reach import reach
from kitwai_lab.bench.pool import measure_leaving
from kitwai_lab.bench.pool_cluster import PoolCluster
from kitwai_lab.event_log import Losses, read_events
from kitwai_lab.local.spark import event_log_conf

SCRIPT = Path(__file__).parent / "applications" / "shuffle.py"


def properties(events: str) -> dict[str, str]:
    """The application's Spark conf; ``events``: URL of the folder of its event log."""
    return {"spark.executor.memory": "512m", **event_log_conf(events)}


def check_counts(folder: Path, maps: int) -> None:
    """The application's result is right."""
    expected = Counter((task * 7 + number) % 50 for task in range(maps) for number in range(1000))
    counts = json.loads((folder / "counts.json").read_text())
    assert {int(key): count for key, count in counts.items()} == expected


def task_ends(folder: Path) -> list[dict]:
    """The task ends in the application's event log."""
    (log,) = (folder / "events").iterdir()
    return list(read_events(log.read_text().splitlines(), "TaskEnd"))


def check_nothing_was_lost(folder: Path, maps: int, reduces: int) -> None:
    """The result is right; no task failed or ran twice; no stage was tried again."""
    check_counts(folder, maps)
    ends = task_ends(folder)
    assert {end["Task End Reason"]["Reason"] for end in ends} == {"Success"}
    assert Counter(end["Task Type"] for end in ends) == {
        "ShuffleMapTask": maps,
        "ResultTask": reduces,
    }
    assert {end["Stage Attempt ID"] for end in ends} == {0}


def finished_tasks(look) -> int:
    return sum(s.complete for app in look().applications or () for s in app.stages or ())


def leave_one_by_one(pool, look, lease, wait_s: float, maps: int) -> None:
    """Scale in to one worker, one after another, while the application's maps run."""
    for target in range(sum(worker.alive for worker in pool.workers()) - 1, 0, -1):
        back = reach(target, pool, look, lease, wait_s=wait_s)
        assert back.settled
        assert len(back.drained) == 1
    assert finished_tasks(look) < maps, "the scale-ins came too late to show anything"


def check_leaving_while_stages_read(cluster: PoolCluster) -> None:
    """Two of three workers leave a job of five shuffles one after another; it loses nothing.

    Executors ask for map outputs where the first task of a stage was told that they are.
    """
    size = 50
    job = measure_leaving(cluster, "drained", workers=3, leave=2, size=size)
    assert (job.finished, job.left) == (True, 2)
    assert job.losses == Losses(
        tasks=size + 5 * (size // 2),
        failed_tasks=0,
        fetch_failures=0,
        retried_stages=0,
        recomputed_tasks=0,
    )


def holders(seen) -> set[str]:
    """The hosts whose executors have written shuffle blocks."""
    return {
        executor.host
        for application in seen.applications or ()
        for executor in application.executors or ()
        if executor.shuffle_write_bytes
    }
