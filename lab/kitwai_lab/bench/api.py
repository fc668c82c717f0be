"""How soon Kitwai's API answers: a real Airflow whose steps run, a store that holds a day.

Requests begin at fixed moments, whether or not those before have been answered (an open loop), and
their time counts from that moment: an answer that makes others wait shows in all of them. Every
GET route is asked as the page asks it; the CSV is that of an hour.

The server has been up for a round of steps then, and every route was asked before: Airflow builds
its API for tasks at the first task's request, for some seconds in which it answers nobody.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from kitwai.errors import KitwaiError
from kitwai.store.store import Store
from kitwai_lab.bench.records import fill
from kitwai_lab.bench.setup import STEP_DAG, bench
from kitwai_lab.local.airflow import AirflowStandalone

_CLUSTERS = ("bench_a", "bench_b", "bench_c")
_STEP_S = 15.0
_FIRST_STEP_S = 120.0
_PREFIX = "/kitwai"
_API = f"{_PREFIX}/api/v1"


@dataclass(frozen=True, slots=True)
class RouteTimes:
    """Seconds until an answer was there, whole; ``bytes``: of the largest, as it travelled."""

    route: str
    requests: int
    failed: int
    median_s: float
    p95_s: float
    max_s: float
    bytes: int


@dataclass(frozen=True, slots=True)
class ApiTimes:
    """All routes, all requests together, and how many steps ended meanwhile."""

    routes: tuple[RouteTimes, ...]
    all: RouteTimes
    steps: int
    seconds: float
    rate: float
    hours: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Answer:
    route: str
    seconds: float
    failed: bool
    bytes: int


def measure_api(
    seconds: float,
    rate: float,
    hours: float = 24.0,
    progress: Callable[[str], None] = lambda _: None,
) -> ApiTimes:
    """Ask every GET route in turn, ``rate`` times a second for ``seconds``.

    :param hours: of records in the store before, a step every 15 s on each of three clusters.
    :raises KitwaiError: Airflow or Spark did not start, or the API does not answer at all.
    """
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-api-") as name:
        url = f"sqlite:///{Path(name) / 'kitwai.db'}"
        store = Store(url)
        # The first real step is some time away, as it would be after a restart.
        steps = fill(store, list(_CLUSTERS), time.time(), hours, _STEP_S)
        store.engine.dispose()
        progress(f"The store holds {steps} steps.")
        env = {"AIRFLOW__KITWAI__STORE": url}
        extra = {"mode": "suggest"}
        with bench(f"{_STEP_S:g}s", extra, clusters=_CLUSTERS, env=env) as where:
            routes = _routes(where.airflow)
            _warm_up(where.airflow, routes)
            began = _ended_steps(where.airflow)
            progress(f"Asking {len(routes)} routes at {rate:g} requests a second.")
            answers = asyncio.run(_ask(where.airflow, routes, seconds, rate))
            ended = len(_ended_steps(where.airflow) - began)
    return ApiTimes(
        routes=tuple(
            _times(route, [one for one in answers if one.route == route]) for route in routes
        ),
        all=_times("all", answers),
        steps=ended,
        seconds=seconds,
        rate=rate,
        hours=hours,
    )


def _warm_up(airflow: AirflowStandalone, routes: Mapping[str, Sequence[str]]) -> None:
    until = time.monotonic() + _FIRST_STEP_S
    while not _ended_steps(airflow):
        if time.monotonic() > until:
            raise KitwaiError(f"No step ended within {_FIRST_STEP_S:g} s; see {airflow.log}.")
        time.sleep(1.0)
    for paths in routes.values():
        for path in paths[: len(_CLUSTERS)]:
            airflow.api.get(path)


def _routes(airflow: AirflowStandalone) -> dict[str, list[str]]:
    """Addresses of every GET route that the API's own document names."""
    api = airflow.api

    def get(path: str) -> Any:
        answer = api.get(f"{_API}/{path}")
        if not answer.is_success:
            raise KitwaiError(f"The API answered {answer.status_code} to {path}: {airflow.log}.")
        return answer.json()

    decisions = get(f"clusters/{_CLUSTERS[0]}/decisions")["items"]
    models = get("models")
    values = {
        "cluster": list(_CLUSTERS),
        "decision_id": [str(one["id"]) for one in decisions],
        "observation_id": [str(one["id"]) for one in decisions],
        "version": [one["version"] for one in models],
        "name": get(f"models/{models[0]['version']}")["pictures"],
    }
    # A table of the whole day is a download of a megabyte; what is asked for here is its last hour.
    hour = f"?since={time.time() - 3600:.0f}"
    return {
        path: [f"{one}{hour if path.endswith('.csv') else ''}" for one in _addresses(path, values)]
        for path, methods in get("openapi.json")["paths"].items()
        if "get" in methods
    }


def _addresses(path: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The path with its parameters' values, each value once at least."""
    names = re.findall(r"\{(\w+)\}", path)
    count = max((len(values[name]) for name in names), default=1)
    return [
        _PREFIX + path.format(**{name: values[name][number % len(values[name])] for name in names})
        for number in range(count)
    ]


async def _ask(
    airflow: AirflowStandalone, routes: dict[str, list[str]], seconds: float, rate: float
) -> list[_Answer]:
    rng = random.Random(0)
    order: list[str] = []
    while len(order) < seconds * rate:
        order += rng.sample(list(routes), len(routes))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
    async with httpx.AsyncClient(
        base_url=airflow.url, headers=airflow.api.headers, timeout=30.0, limits=limits
    ) as client:

        async def one(route: str, path: str, due: float) -> _Answer:
            size = 0
            try:
                async with client.stream("GET", path) as answer:
                    async for part in answer.aiter_raw():
                        size += len(part)
                failed = not answer.is_success
            except httpx.HTTPError:
                failed = True
            return _Answer(route, time.perf_counter() - due, failed, size)

        began, tasks = time.perf_counter(), []
        for number in range(int(seconds * rate)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            route = order[number]
            tasks.append(asyncio.create_task(one(route, rng.choice(routes[route]), due)))
        return list(await asyncio.gather(*tasks))


def _times(route: str, answers: Sequence[_Answer]) -> RouteTimes:
    if not answers:
        raise KitwaiError(f"{route} was never asked: ask for longer.")
    seconds = sorted(one.seconds for one in answers)
    return RouteTimes(
        route=route,
        requests=len(answers),
        failed=sum(one.failed for one in answers),
        median_s=statistics.median(seconds),
        p95_s=seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        max_s=seconds[-1],
        bytes=max(one.bytes for one in answers),
    )


def _ended_steps(airflow: AirflowStandalone) -> set[str]:
    runs = airflow.runs(STEP_DAG)
    return {run["dag_run_id"] for run in runs if run["state"] in ("success", "failed")}
