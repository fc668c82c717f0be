"""Writes event logs as Spark does, from a few words about each event."""

from __future__ import annotations

import gzip
import json

from places import SHARED

EVENT_LOGS = SHARED / "data" / "event_logs"
"""Logs of others' applications, beside the checkout."""


def event(name, **fields):
    return {"Event": f"SparkListener{name}"} | fields


def executor(name, at, cores=2):
    info = {"Host": f"host-{name}", "Total Cores": cores}
    return event("ExecutorAdded", **{"Timestamp": at, "Executor ID": name, "Executor Info": info})


def job(number, at, until, stages):
    """A job of ``stages``: number → parents, whether they run or not."""
    infos = [{"Stage ID": one, "Parent IDs": parents} for one, parents in stages.items()]
    start = {"Job ID": number, "Submission Time": at, "Stage IDs": [*stages], "Stage Infos": infos}
    end = {"Job ID": number, "Completion Time": until}
    return event("JobStart", **start), event("JobEnd", **end)


def submitted(stage, at):
    return event("StageSubmitted", **{"Stage Info": {"Stage ID": stage, "Submission Time": at}})


def task(stage, index, launch, finish, run=None, name="1", reason="Success", **more):
    info = {
        "Index": index,
        "Launch Time": launch,
        "Finish Time": finish,
        "Executor ID": name,
        "Failed": reason not in ("Success", "TaskKilled"),
        "Killed": reason == "TaskKilled",
    }
    metrics = {
        "Executor Run Time": finish - launch if run is None else run,
        "Input Metrics": {"Bytes Read": 10},
        "Shuffle Read Metrics": {"Remote Bytes Read": 3, "Local Bytes Read": 4},
        "Shuffle Write Metrics": {"Shuffle Bytes Written": 5},
    }
    return event(
        "TaskEnd",
        **{
            "Stage ID": stage,
            "Stage Attempt ID": 0,
            "Task End Reason": {"Reason": reason},
            "Task Info": info | more,
            "Task Metrics": metrics,
        },
    )


def write(path, *events, end=99_000, properties=None):
    start = {"App Name": "count", "App ID": "app-1", "Timestamp": 1_000}
    lines = [
        {"Event": "SparkListenerLogStart", "Spark Version": "4.3.0"},
        event("EnvironmentUpdate", **{"Spark Properties": properties or {}}),
        event("ApplicationStart", **start),
        *events,
    ]
    if end is not None:
        lines.append(event("ApplicationEnd", Timestamp=end))
    text = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def two_jobs():
    """Job 0: two stages; job 1, after 0.5 s of the driver: a stage on what stage 1 has left."""
    begin, end = job(0, 3_000, 9_050, {0: [], 1: [0]})
    again, over = job(1, 9_500, 13_000, {2: [0], 3: [2]})
    return [
        executor("1", 2_500),
        begin,
        submitted(0, 3_010),
        # The executor's first two tasks take 2 s more; the others 1 s; one slot is free at the end.
        task(0, 0, 3_200, 6_200),
        task(0, 1, 3_200, 6_210, 3_000),
        task(0, 2, 6_200, 7_200),
        task(0, 3, 6_210, 7_210),
        task(0, 4, 7_210, 8_210),
        submitted(1, 8_220),
        task(1, 0, 8_250, 9_000, 700),
        end,
        again,
        submitted(3, 9_550),
        task(3, 0, 9_600, 13_000),
        over,
    ]
