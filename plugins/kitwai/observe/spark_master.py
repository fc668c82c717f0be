"""Reads the standalone master: workers and applications from its JSON, drivers from its page.

The functions `parse_*` are pure.
"""

from __future__ import annotations

import html
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from pydantic import FailFast, TypeAdapter

from kitwai.core.records.observation import Worker, WorkerState
from kitwai.errors import SourceError
from kitwai.observe.http import Answer, decode, get
from kitwai.observe.spark_json import Count, SparkModel

_MAX_PAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ActiveApplication:
    """An application as the master lists it; ``elapsed_s`` by the master's clock."""

    id: str
    name: str
    cores: int
    elapsed_s: float


class _Worker(SparkModel):
    id: str
    host: str
    state: str
    cores: Count
    coresused: Count
    memory: Count
    memoryused: Count


class _ActiveApplication(SparkModel):
    id: str
    name: str
    cores: Count
    duration: Count


class _MasterWorkers(SparkModel):
    status: str
    workers: Annotated[list[_Worker], FailFast()]


class _MasterApplications(SparkModel):
    status: str
    activeapps: Annotated[list[_ActiveApplication], FailFast()]


_MASTER_WORKERS = TypeAdapter(_MasterWorkers)
_MASTER_APPLICATIONS = TypeAdapter(_MasterApplications)


async def get_master(client: httpx.AsyncClient, master_url: str, *, timeout_s: float) -> Answer:
    """The master's JSON, for `parse_workers` and `parse_applications`."""
    return await get(client, f"{master_url.rstrip('/')}/json/", timeout_s=timeout_s)


async def get_driver_urls(
    client: httpx.AsyncClient, master_url: str, *, timeout_s: float
) -> dict[str, str]:
    """The address of each application's UI; see `parse_driver_urls`."""
    page_url = f"{master_url.rstrip('/')}/"
    page = await get(client, page_url, timeout_s=timeout_s, max_bytes=_MAX_PAGE_BYTES)
    return parse_driver_urls(page, page_url)


def parse_workers(answer: Answer) -> tuple[Worker, ...]:
    """All workers that the master lists, dead workers included.

    :raises SourceError: the answer is not from an active master. A standby master lists no workers,
        which must not pass for an empty cluster.
    """
    master = decode(_MASTER_WORKERS, answer)
    _require_alive(master.status, answer)
    known = {state.value for state in WorkerState}
    return tuple(
        Worker(
            id=worker.id,
            host=worker.host,
            state=WorkerState(worker.state) if worker.state in known else WorkerState.UNKNOWN,
            cores=worker.cores,
            cores_used=worker.coresused,
            memory_mb=worker.memory,
            memory_used_mb=worker.memoryused,
        )
        for worker in master.workers
    )


def parse_applications(answer: Answer) -> tuple[ActiveApplication, ...]:
    """The applications that run or wait for cores. :raises SourceError: see `parse_workers`."""
    master = decode(_MASTER_APPLICATIONS, answer)
    _require_alive(master.status, answer)
    return tuple(
        ActiveApplication(app.id, app.name, app.cores, app.duration / 1000.0)
        for app in master.activeapps
    )


# Scala writes attributes in double quotes and escapes <, > and " in them. Not html.parser: its
# time grows with more than the square of a page of unclosed tags (200 kB took minutes).
_HREF = re.compile(r'href="([^"<>]{1,2000})"')


def parse_driver_urls(page: Answer, page_url: str) -> dict[str, str]:
    """Application id to the address of its driver's UI, from the master's HTML page.

    The master's JSON does not name the address. A row of the page's table of applications has two
    links: the id to ``app/?appId=ID`` and, while the application runs, the name to the UI. With
    ``spark.ui.reverseProxy`` the second link is relative to the master.
    """
    urls: dict[str, str] = {}
    for row in page.body.decode("utf-8", "replace").split("</tr>"):
        app_id = None
        for link in map(html.unescape, _HREF.findall(row)):
            linked_id = _app_id(link)
            if linked_id or app_id is None:
                app_id = linked_id
            elif not link.startswith("#"):  # "#" kills the application
                with suppress(ValueError):  # not an address: the application then has none
                    urls[app_id] = urljoin(page_url, link)
                break
    return urls


def _app_id(link: str) -> str | None:
    try:
        return parse_qs(urlsplit(link).query).get("appId", [None])[0]
    except ValueError:
        return None


def _require_alive(status: str, answer: Answer) -> None:
    if status != "ALIVE":
        raise SourceError(
            f"The master at {answer.url} is {status[:40]}, not ALIVE: wait for it, or give the "
            "address of the active master."
        )
