"""Looks at a cluster once: reads every source in parallel, under one deadline.

It owns how sources are joined and what their failures mean. A failed source raises nothing here.
A source that hangs does not delay the others: the observation is complete in time, and names the
missing sources.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import httpx

from kitwai.core.records.observation import (
    Application,
    DriverLog,
    HostMetrics,
    Observation,
    Part,
    Past,
    PoolWorker,
    Worker,
)
from kitwai.errors import KitwaiError, PoolError, SourceError
from kitwai.observe import driver_log, spark_driver, spark_master
from kitwai.observe.http import Answer, open_client
from kitwai.observe.metrics.host import read_nodes as read_this_host
from kitwai.observe.metrics.source import MetricSource, Node, over_cluster
from kitwai.observe.metrics.spark import spark_metrics
from kitwai.observe.spark_master import ActiveApplication
from kitwai.observe.spark_tasks import MOST_TASKS, TASKS_OF_A_LOOK
from kitwai.pools.base import WorkerPool

log = logging.getLogger(__name__)

# Shares of the time-out. The time after the drivers is for the second look at the master. The time
# after that is for putting the observation together on a busy machine.
_DRIVERS_SHARE = 0.7
_SOURCES_SHARE = 0.85

_MOST_SAID = 3

T = TypeVar("T")


_LOG_BYTES = 32 * 1024 * 1024
"""Most bytes read of all drivers' logs in one look: work of a third of a second. The next look goes
on there."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources besides Spark and the pool.

    ``metrics``: the source of host metrics, None for Spark's own metrics; ``metrics_master``: name
    of the master's node in these metrics; ``driver_log``: location of a driver's log, with ``{id}``
    for the application's id. It is None if the logs cannot be reached.
    """

    metrics: MetricSource | None = read_this_host
    metrics_master: str = "localhost"
    driver_log: str | None = None


def observe(
    cluster: str,
    master_url: str,
    pool: WorkerPool | None,
    past: Past,
    *,
    sources: Sources | None = None,
    previous: Observation | None = None,
    now: Callable[[], float] = time.time,
    timeout_s: float = 2.0,
) -> Observation:
    """Look at ``cluster`` once. Call it where no event loop runs.

    Parts of the observation: ``master``, ``applications``, ``pool``, ``host`` (the metrics),
    ``driver addresses``, for each application ``driver <id>``, ``log <id>`` if logs are read,
    ``tasks <id>`` if lists of its tasks could not be used, and ``application <id> limit`` if its
    own limit is unreadable. ``master's network`` is there if the
    metrics do not name the master's node.

    :param master_url: the master's web address, ``http://host:8080``; credentials in it are used
        and never shown.
    :param pool: None where the cluster has no pool.
    :param sources: None: this machine's metrics, and no driver's log.
    :param previous: the look before. Logs are read on from there, and Spark's rates begin there.
    :param now: the clock (epoch seconds).
    :param timeout_s: the observation is complete within this time, whatever hangs.
    """
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_UnwaitedExecutor())
        look = _Look(master_url, sources or Sources(), previous, now, timeout_s)
        return runner.run(look.observe(cluster, pool, past))


class _Look:
    """A look under way: its deadlines, and the answer or fault of each part so far."""

    def __init__(
        self,
        master_url: str,
        sources: Sources,
        previous: Observation | None,
        now: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._master_url = master_url
        self._sources = sources
        self._previous = previous
        self._now = now
        started = time.monotonic()
        self._drivers_deadline = started + _DRIVERS_SHARE * timeout_s
        self._deadline = started + _SOURCES_SHARE * timeout_s
        self._read_at: dict[str, float] = {}
        self._errors: dict[str, str] = {}

    async def observe(self, cluster: str, pool: WorkerPool | None, past: Past) -> Observation:
        async with open_client() as client:
            (workers, applications), pool_workers, nodes = await asyncio.gather(
                self._read_cluster(client),
                self._read("pool", self._in_time("The pool", _pool_workers(pool))),
                self._read_nodes(),
            )
        at = self._now()
        host = (
            await self._read("host", self._spark_metrics(applications, workers, at))
            if self._sources.metrics is None
            else self._of_cluster(nodes, workers)
        )
        return Observation(
            cluster=cluster,
            at=at,
            workers=workers,
            pool=pool_workers,
            applications=applications,
            host=host,
            past=past,
            parts=self._parts(at),
        )

    async def _read_nodes(self) -> tuple[Node, ...] | None:
        if self._sources.metrics is None:
            return None
        return await self._read(
            "host", self._in_time("The source of host metrics", self._sources.metrics())
        )

    async def _spark_metrics(
        self,
        applications: tuple[Application, ...] | None,
        workers: tuple[Worker, ...] | None,
        at: float,
    ) -> HostMetrics:
        return spark_metrics(applications, workers, at, self._previous)

    def _of_cluster(
        self, nodes: tuple[Node, ...] | None, workers: tuple[Worker, ...] | None
    ) -> HostMetrics | None:
        if nodes is None:
            return None
        master = self._sources.metrics_master
        metrics = over_cluster(nodes, (worker.host for worker in workers or ()), master)
        if metrics.net_in is None and len(nodes) > 1:
            self._errors["master's network"] = (
                f"The metrics tell no network of a node {master!r}: give its name there as "
                "metrics_master."
            )
        return metrics

    async def _read_cluster(
        self, client: httpx.AsyncClient
    ) -> tuple[tuple[Worker, ...] | None, tuple[Application, ...] | None]:
        master = partial(spark_master.get_master, client, self._master_url)
        page = partial(spark_master.get_driver_urls, client, self._master_url)
        addresses = asyncio.create_task(
            self._read("driver addresses", page(timeout_s=_left(self._drivers_deadline)))
        )
        answer = await self._read("master", master(timeout_s=_left(self._deadline)))
        if answer is None:
            await addresses
            self._errors["applications"] = self._errors["master"]
            return None, None
        workers = await self._read("master", _parsed(spark_master.parse_workers, answer))
        active = await self._read("applications", _parsed(spark_master.parse_applications, answer))
        if active is None:
            await addresses
            return workers, None
        applications, logs, _ = await asyncio.gather(
            asyncio.gather(
                *(self._read_application(client, app, addresses, len(active)) for app in active)
            ),
            asyncio.gather(*(self._read_log(app.id, len(active)) for app in active)),
            addresses,
        )
        with_logs = (
            replace(application, log=log)
            for application, log in zip(applications, logs, strict=True)
        )
        return workers, await self._without_ended(client, with_logs)

    async def _read_application(
        self,
        client: httpx.AsyncClient,
        active: ActiveApplication,
        addresses: Awaitable[dict[str, str] | None],
        count: int,
    ) -> Application:
        """One of ``count`` applications, without what cannot be read of it."""
        part = _driver_part(active.id)
        read = await self._read(part, self._ask_driver(client, active, addresses, count))
        if read is None:
            error = self._errors[part]
            return Application(active.id, active.name, active.cores, active.elapsed_s, error=error)
        application, faults, unread = read
        if unread:
            self._errors[f"tasks {active.id}"] = " ".join(unread[:_MOST_SAID])
        if faults:
            self._errors[f"application {active.id} limit"] = " ".join(faults)
        return application

    async def _read_log(self, app_id: str, count: int) -> DriverLog | None:
        """The log of one of ``count`` drivers; if reading fails, as the look before had read it."""
        location = self._sources.driver_log
        if location is None:
            return None
        known = self._before(app_id)
        before = known.log if known is not None else None

        def read() -> DriverLog:
            return driver_log.read_on(
                driver_log.log_of(location, app_id),
                before,
                max_bytes=max(driver_log.BLOCK_BYTES, _LOG_BYTES // count),
                deadline=self._drivers_deadline,
            )

        source = self._in_time("The driver's log", _in_daemon_thread(read))
        log = await self._read(_log_part(app_id), source)
        return replace(before, complete=False) if log is None and before is not None else log

    def _before(self, app_id: str) -> Application | None:
        """The application as the look before saw it."""
        applications = self._previous.applications if self._previous is not None else None
        return next((app for app in applications or () if app.id == app_id), None)

    async def _ask_driver(
        self,
        client: httpx.AsyncClient,
        active: ActiveApplication,
        addresses: Awaitable[dict[str, str] | None],
        count: int,
    ) -> tuple[Application, tuple[str, ...], tuple[str, ...]]:
        driver_urls = await addresses
        if driver_urls is None:
            raise SourceError(self._errors["driver addresses"])
        if active.id not in driver_urls:
            raise SourceError(
                f"The master's page links no web interface for application {active.id}: "
                "Kitwai needs spark.ui.enabled=true."
            )
        return await spark_driver.read_application(
            client,
            active,
            driver_urls[active.id],
            before=self._before(active.id),
            most_tasks=min(MOST_TASKS, TASKS_OF_A_LOOK // count),
            timeout_s=_left(self._drivers_deadline),
            now=self._now,
        )

    async def _without_ended(
        self, client: httpx.AsyncClient, applications: Iterable[Application]
    ) -> tuple[Application, ...]:
        """Leave out unreadable applications that the master no longer lists when asked again."""
        seen = tuple(applications)
        if all(application.error is None for application in seen):
            return seen
        try:
            answer = await spark_master.get_master(
                client, self._master_url, timeout_s=_left(self._deadline)
            )
            active = {listed.id for listed in spark_master.parse_applications(answer)}
        except SourceError:
            return seen  # whether they have ended is not known
        unreadable = {application.id for application in seen if application.error is not None}
        ended = unreadable - active
        for app_id in ended:
            self._errors.pop(_driver_part(app_id))
            self._errors.pop(_log_part(app_id), None)
        return tuple(application for application in seen if application.id not in ended)

    async def _read(self, part: str, source: Awaitable[T]) -> T | None:
        """The answer of ``source``; None if it fails. Its time or fault is noted as ``part``."""
        try:
            value = await source
        except KitwaiError as fault:
            self._errors[part] = str(fault)
        except Exception as fault:
            log.exception("Reading %s failed in a way that its source should have handled.", part)
            self._errors[part] = f"Reading it failed with {type(fault).__name__} (see the log)."
        else:
            self._read_at.setdefault(part, self._now())
            return value
        return None

    async def _in_time(self, what: str, source: Awaitable[T]) -> T:
        timeout_s = _left(self._deadline)
        try:
            async with asyncio.timeout(timeout_s):
                return await source
        except TimeoutError as fault:
            raise SourceError(f"{what} gave no answer within {timeout_s:.1f} s.") from fault

    def _parts(self, at: float) -> tuple[Part, ...]:
        first = ("master", "applications", "pool", "host", "driver addresses")
        rest = sorted((self._read_at.keys() | self._errors.keys()) - set(first))
        return tuple(
            Part(name, error=self._errors[name])
            if name in self._errors
            else Part(name, age_s=max(0.0, at - self._read_at[name]))
            for name in (*first, *rest)
        )


class _UnwaitedExecutor(ThreadPoolExecutor):
    """Resolves names. A resolver that hangs must not hold the observation back."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _pool_workers(pool: WorkerPool | None) -> tuple[PoolWorker, ...]:
    if pool is None:
        raise PoolError("The cluster has no worker pool: configure one to have it scaled.")
    return await _in_daemon_thread(pool.workers)


async def _in_daemon_thread(call: Callable[[], T]) -> T:
    """The result of the blocking ``call``, made in a daemon thread.

    If the call hangs for good, a thread of an executor would hold the process's exit back.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # from here on, giving up does not disturb the thread

    def work() -> None:
        try:
            outcome.set_result(call())
        except Exception as fault:
            outcome.set_exception(fault)

    threading.Thread(target=work, name="kitwai-look", daemon=True).start()
    return await asyncio.wrap_future(outcome)


async def _parsed(parse: Callable[[Answer], T], answer: Answer) -> T:
    return parse(answer)


def _driver_part(app_id: str) -> str:
    return f"driver {app_id}"


def _log_part(app_id: str) -> str:
    return f"log {app_id}"


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
