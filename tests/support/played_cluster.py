"""A master and its drivers as an HTTP server plays them, and a look at it."""

from __future__ import annotations

import asyncio
import json
import re

import http_server
import task_lists
from kitwai.core.records.observation import HostMetrics, Past, PoolWorker
from kitwai.observe.look import Sources, observe
from kitwai.observe.metrics.source import Node
from places import DATA

RECORDED = DATA / "spark_rest"
PAST = Past(idle_s=7.0)
WORKERS = (PoolWorker("w-1", "127.0.7.2", True, 1.0), PoolWorker("w-2", "127.0.7.3", True, 2.0))
# Far beyond what a look takes, so that a busy machine does not fail the test, and far below what
# the hanging sources would take.
ENOUGH_S = 10.0


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


class Cluster:
    """A master whose applications are read at ``/driver/<id>``; ``faulty`` drivers misbehave."""

    def __init__(self, ids: list[str], faulty: dict[str, http_server.Handler] | None = None):
        self.ids = ids
        self.faulty = faulty or {}
        self.master = json.loads(recorded("master.json"))
        self.environment = json.loads(recorded("environment.json"))
        self.tasks = task_lists.lists_of(json.loads(recorded("stages.json")))
        self.ended_after_list: set[str] = set()
        self.lists = 0
        self.lists_asked: list[str] = []

    async def __call__(self, path: str, writer: asyncio.StreamWriter) -> None:
        for prefix, handler in self.faulty.items():
            if path.startswith(prefix):
                await handler(path, writer)
                return
        body = self.answer(path)
        writer.write(http_server.response(body or b"", "200 OK" if body else "404 Not Found"))

    def answer(self, path: str) -> bytes | None:
        if path == "/json/":
            self.lists += 1
            ended = self.ended_after_list if self.lists > 1 else set()
            active = [
                {**self.master["activeapps"][0], "id": one, "name": f"name of {one}"}
                for one in self.ids
                if one not in ended
            ]
            return json.dumps({**self.master, "activeapps": active}).encode()
        if path == "/":
            page = recorded("master_reverse_proxy.html").decode()
            (row,) = re.findall(r"<tr>(?:(?!</tr>).)*appId=(?:(?!</tr>).)*</tr>", page, re.S)
            rows = [
                row.replace('href="/proxy', 'href="/driver').replace("app-20261124011054-0000", one)
                for one in self.ids
            ]
            return page.replace(row, "".join(rows)).encode()
        match = re.fullmatch(r"/driver/([^/]+)/api/v1/applications/([^/]+)((?:/\w+)*)(\?.*)?", path)
        if not match or match[1] != match[2]:
            return None
        what, query = match[3], (match[4] or "")[1:]
        if what == "/environment":
            return json.dumps(self.environment).encode()
        stage = re.fullmatch(r"/stages/(\d+)/(\d+)/(taskList|taskSummary)", what)
        if stage:
            return self._of_tasks(int(stage[1]), int(stage[2]), stage[3], query)
        return recorded(f"{(what or '/application')[1:]}.json")

    def _of_tasks(self, stage: int, attempt: int, what: str, query: str) -> bytes | None:
        if what == "taskList":
            self.lists_asked.append(f"/stages/{stage}/{attempt}/taskList?{query}")
        tasks = self.tasks.get((stage, attempt))
        if tasks is None:
            return None
        if what == "taskList":
            return json.dumps(task_lists.page(tasks, query)).encode()
        summary = task_lists.summary(tasks, query)
        return None if summary is None else json.dumps(summary).encode()


class Pool:
    """A pool that is only looked at."""

    def __init__(self, look):
        self.workers = look

    def start(self, count, each=None):
        raise AssertionError("an observation starts no worker")

    drain = stop = start


async def read_metrics() -> tuple[Node, ...]:
    return (Node(frozenset({"here"}), HostMetrics(0.5, 0.1, 1.0, 2.0, 0.3)),)


def look(url: str, pool=None, **options):
    pool = Pool(lambda: WORKERS) if pool is None else pool
    options = {"timeout_s": ENOUGH_S, "sources": Sources(read_metrics), **options}
    return observe("spark", url, pool, PAST, **options)


def errors(observation) -> dict[str, str]:
    return {part.name: part.error for part in observation.parts if part.error is not None}
