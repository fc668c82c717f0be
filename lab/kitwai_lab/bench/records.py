"""A store filled with the records that the steps of a busy day would have written.

One application runs again and again. It is observed as Spark would show it, and the shipped
champion decides on it. The records of one run are repeated over the day at their own moments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import (
    Application,
    Executor,
    HostMetrics,
    Observation,
    Part,
    Past,
    PoolWorker,
    Stage,
    Worker,
    WorkerState,
)
from kitwai.core.records.settings import ClusterSettings, Mode
from kitwai.registry.champion import load_champion
from kitwai.store.store import Store
from kitwai.store.tables import DecisionRow, ObservationRow, ScalingRow

Row = dict[str, Any]

_OBSERVATION = TypeAdapter(Observation)
_DECISION = TypeAdapter(Decision)
_SETTINGS = TypeAdapter(ClusterSettings)
_AT_ONCE = 500
_STEPS = 80
_IDLE = 30
_STAGES = 24
_TASKS = 64
_TASK_S = 9.0
_CORES = 2
_LIMIT_S = 1200.0


def fill(store: Store, clusters: list[str], until: float, hours: float, step_s: float) -> int:
    """Write the records of steps into an empty store.

    :param clusters: names of the clusters, which all have the same steps.
    :param until: epoch seconds at which the records end, ``hours`` after they begin.
    :param step_s: seconds between two steps of a cluster.
    :returns: how many steps were written, of all clusters.
    """
    count = int(hours * 3600 / step_s)
    rows = _rows(clusters, until, count, step_s)
    with store.engine.begin() as connection:
        while part := list(islice(rows, _AT_ONCE)):
            for place, table in enumerate((ObservationRow, DecisionRow, ScalingRow)):
                values = [row for step in part if (row := step[place]) is not None]
                if values:
                    connection.execute(sa.insert(table), values)
    return count * len(clusters)


def _rows(
    clusters: list[str], until: float, count: int, step_s: float
) -> Iterator[tuple[Row, Row, Row | None]]:
    """Rows of observation, decision and, where the count changed, scaling; a step each."""
    steps = [_steps(cluster, step_s, seed) for seed, cluster in enumerate(clusters)]
    row_id = 0
    for index in range(count):
        at = until - (count - index) * step_s
        for cycle in steps:
            row_id += 1
            seen, decided, settings = cycle[index % len(cycle)]
            yield (
                {
                    "id": row_id,
                    "cluster": seen.cluster,
                    "at": at,
                    "applications": len(seen.applications or ()),
                    "body": _OBSERVATION.dump_python(replace(seen, at=at), mode="json"),
                },
                {
                    "id": row_id,
                    "observation_id": row_id,
                    "cluster": decided.cluster,
                    "at": at,
                    "mode": decided.mode.value,
                    "present": decided.present,
                    "target": decided.target,
                    "checkpoint": decided.checkpoint,
                    "reason": decided.reason,
                    "settings": _SETTINGS.dump_python(settings, mode="json"),
                    "body": _DECISION.dump_python(replace(decided, at=at), mode="json"),
                },
                _scaling(decided, row_id, at),
            )


def _steps(
    cluster: str, step_s: float, seed: int
) -> list[tuple[Observation, Decision, ClusterSettings]]:
    """Observations of an application's run and of the quiet after it, with decisions."""
    rng = random.Random(seed)
    settings = ClusterSettings(cluster, Constraint(10, 900.0), mode=Mode.AUTO, flap_budget=40)
    champion = load_champion()
    steps: list[tuple[Observation, Decision, ClusterSettings]] = []
    workers, done_s = 2, 0.0
    for index in range(_STEPS + _IDLE):
        done_s += workers * _CORES * step_s * rng.uniform(0.7, 1.0)
        running = index < _STEPS
        app = (_application(cluster, index * step_s, workers, done_s, rng),) if running else ()
        seen = _observation(cluster, index * step_s, workers, app, rng)
        seen = with_counts(seen, *(before for before, _, _ in steps[-1:]))
        decided = decide(
            seen,
            settings,
            champion.policy,
            history=champion.runs,
            no_policy_reason=champion.why_not,
        )
        steps.append((seen, decided, settings))
        workers = decided.target or workers
    return steps


def _observation(
    cluster: str, at: float, workers: int, apps: tuple[Application, ...], rng: random.Random
) -> Observation:
    hosts = [f"10.0.0.{number + 1}" for number in range(workers)]
    return Observation(
        cluster=cluster,
        at=at,
        workers=tuple(
            Worker(f"worker-20261124-{h}-7078", h, WorkerState.ALIVE, _CORES, _CORES, 4096, 2048)
            for h in hosts
        ),
        pool=tuple(PoolWorker(f"kitwai-{h}", h, True, 0.0) for h in hosts),
        applications=apps,
        host=HostMetrics(rng.random(), rng.random() / 4, 1e6, 2e6, rng.random()),
        past=Past(changes_1h=rng.randint(0, 20)),
        parts=tuple(Part(name, rng.random()) for name in ("master", "pool", "app", "metrics")),
    )


def _application(
    cluster: str, elapsed_s: float, workers: int, done_s: float, rng: random.Random
) -> Application:
    done = min(int(done_s / _TASK_S), _STAGES * _TASKS - workers * _CORES)
    stages = []
    for number in range(_STAGES):
        complete = min(max(0, done - number * _TASKS), _TASKS)
        began = number * _TASKS <= done
        active = min(workers * _CORES, _TASKS - complete) if began else 0
        status = "COMPLETE" if complete == _TASKS else "ACTIVE" if began else "PENDING"
        run_ms = complete * _TASK_S * 1000.0
        stages.append(
            Stage(number, status, _TASKS, active, complete, 0, run_ms, 2**27, 2**25, 2**25)
        )
    return Application(
        id="app-20261124063000-0001",
        name=f"nightly revenue of {cluster}",
        cores=workers * _CORES,
        elapsed_s=elapsed_s,
        limit_s=_LIMIT_S,
        executors=tuple(
            Executor(str(n), f"10.0.0.{n + 1}", _CORES, _CORES, 2**26, 2**25, 2**26, 2**30)
            for n in range(workers)
        ),
        stages=tuple(stages),
    )


def _scaling(decided: Decision, decision_id: int, at: float) -> Row | None:
    change = (decided.target or 0) - (decided.present or 0)
    if change == 0:
        return None
    return {
        "decision_id": decision_id,
        "cluster": decided.cluster,
        "started_at": at + 1.0,
        "ended_at": at + 5.0,
        "target": decided.target,
        "started": max(0, change),
        "removed": max(0, -change),
        "body": {"settled": True, "seconds": 4.0},
    }
