"""One driver that answers for its tasks, and a reading of its lists."""

from __future__ import annotations

import asyncio
import json
import re
import time

import httpx

import task_lists
from builders import application
from kitwai.core.records.observation import Executor, Stage
from kitwai.observe.spark_tasks import Reader
from kitwai_lab.bench.task_lists import task

START = 1_000_000.0
URL = "http://driver/api"
HERE = tuple(Executor(name, f"h{name}", 2, 2, 0, 0, added_at=START) for name in "01")


class Driver:
    """A driver that lists ``tasks`` by stage; it notes the paths that it was asked for."""

    def __init__(self, **tasks: list[dict]):
        self.tasks = {int(name[1:]): listed for name, listed in tasks.items()}
        self.asked: list[str] = []
        self.bytes = 0
        self.instead: dict[str, bytes] = {}  # answers by a part of the path

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = str(request.url).removeprefix(URL)
        self.asked.append(path)
        for part, body in self.instead.items():
            if part in path:
                return _streamed(body)
        stage, what = re.match(r"/stages/(\d+)/0/(taskList|taskSummary)", path).groups()
        query = request.url.query.decode()
        tasks = self.tasks.get(int(stage), [])
        if what == "taskSummary":
            answer = task_lists.summary(tasks, query)
        elif "length=0" in query or "length=-" in query:
            return httpx.Response(500)  # as Spark answers
        else:
            answer = task_lists.page(tasks, query)
        body = json.dumps(answer).encode()
        self.bytes += len(body)
        return httpx.Response(404) if answer is None else _streamed(body)

    @property
    def lists(self) -> list[str]:
        return [path for path in self.asked if "taskList" in path]

    @property
    def summaries(self) -> list[str]:
        return [path for path in self.asked if "taskSummary" in path]


def _streamed(body: bytes) -> httpx.Response:
    async def parts():
        for at in range(0, len(body), 1 << 16):
            yield body[at : at + (1 << 16)]

    return httpx.Response(200, content=parts())


def listed(*statuses: str, first_id: int = 0, began_s: float = 10.0) -> list[dict]:
    """Tasks of 2 s on four slots, one wave after another."""
    return [
        task(first_id + n, str(n % 2), START + began_s + n // 4 * 2.0, 2000, status)
        for n, status in enumerate(statuses)
    ]


def stage_of(number: int, tasks: list[dict], total: int | None = None) -> Stage:
    """A stage as Spark's list of stages shows it."""
    statuses = [one["status"] for one in tasks]
    complete, active = statuses.count("SUCCESS"), statuses.count("RUNNING")
    total = complete + active if total is None else total
    status = "COMPLETE" if complete == total else "ACTIVE"
    failed, run_ms = statuses.count("FAILED"), 2000.0 * complete
    return Stage(number, status, total, active, complete, failed, run_ms, 0, 0, 0)


def look(driver, stages, before=None, now_s=60.0, executors=HERE, within_s=30.0):
    """One look: the application, and the faults."""
    shown = application(*stages, elapsed_s=now_s, executors=executors)

    async def read():
        async with httpx.AsyncClient(transport=httpx.MockTransport(driver)) as client:
            reader = Reader(client, URL, START, time.monotonic() + within_s)
            return await reader.read(shown, before)

    return asyncio.run(read())


def tasks_told(seen, position: int = 0) -> int:
    return sum(part.tasks for part in seen.stages[position].ran)
