"""How soon Kitwai's API answers while a real Airflow runs steps, over a store that holds a day.

Requests begin at fixed moments, whether or not earlier requests have been answered (an open loop).
Their time counts from that moment, so a slow answer shows in all requests that wait for it. Every
GET route is asked as the page asks it; the CSV covers an hour.

Before, a round of steps has ended and every route was asked. Airflow builds its API for tasks at
the first task's request, and answers nobody for some seconds then.
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
from kitwai_lab.local.waiting import wait_until

_CLUSTERS = ("bench_a", "bench_b", "bench_c")
_STEP_S = 15.0
_FIRST_STEP_S = 120.0
_PREFIX = "/kitwai"
_API = f"{_PREFIX}/api/v1"


@dataclass(frozen=True, slots=True)
class RouteTimes:
    """Seconds until a route's answers were there in full.

    ``bytes``: size of the largest answer, as it travelled.
    """

    route: str
    requests: int
    failed: int
    median_s: float
    p95_s: float
    max_s: float
    bytes: int


@dataclass(frozen=True, slots=True)
class ApiTimes:
    """Times by route and of all requests together; ``steps``: steps that ended meanwhile."""

    routes: tuple[RouteTimes, ...]
    all: RouteTimes
    steps: int
    seconds: float
    rate: float
    hours: float

    def to_dict(self) -> dict[str, Any]:
        """The times as JSON takes them."""
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

    :param hours: of records that the store holds, a step every 15 s on each of three clusters.
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
            _times(route, [answer for answer in answers if answer.route == route])
            for route in routes
        ),
        all=_times("all", answers),
        steps=ended,
        seconds=seconds,
        rate=rate,
        hours=hours,
    )


def _warm_up(airflow: AirflowStandalone, routes: Mapping[str, Sequence[str]]) -> None:
    late = KitwaiError(f"No step ended within {_FIRST_STEP_S:g} s; see {airflow.log}.")
    wait_until(lambda: _ended_steps(airflow), _FIRST_STEP_S, late, poll_s=1.0)
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
        "decision_id": [str(decision["id"]) for decision in decisions],
        "observation_id": [str(decision["id"]) for decision in decisions],
        "version": [model["version"] for model in models],
        "name": get(f"models/{models[0]['version']}")["pictures"],
    }
    # A table of the whole day is a download of a megabyte: only its last hour is asked for.
    hour = f"?since={time.time() - 3600:.0f}"
    return {
        path: [
            f"{address}{hour if path.endswith('.csv') else ''}"
            for address in _addresses(path, values)
        ]
        for path, methods in get("openapi.json")["paths"].items()
        if "get" in methods
    }


def _addresses(path: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The path with the values of its parameters, each value at least once."""
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

        async def ask(route: str, path: str, due: float) -> _Answer:
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
            tasks.append(asyncio.create_task(ask(route, rng.choice(routes[route]), due)))
        return list(await asyncio.gather(*tasks))


def _times(route: str, answers: Sequence[_Answer]) -> RouteTimes:
    if not answers:
        raise KitwaiError(f"{route} was never asked: ask for longer.")
    seconds = sorted(answer.seconds for answer in answers)
    return RouteTimes(
        route=route,
        requests=len(answers),
        failed=sum(answer.failed for answer in answers),
        median_s=statistics.median(seconds),
        p95_s=seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        max_s=seconds[-1],
        bytes=max(answer.bytes for answer in answers),
    )


def _ended_steps(airflow: AirflowStandalone) -> set[str]:
    runs = airflow.runs(STEP_DAG)
    return {run["dag_run_id"] for run in runs if run["state"] in ("success", "failed")}
