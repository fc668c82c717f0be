"""One look at a cluster: every source read in parallel, under one deadline.

Owns how sources are joined and what their failures mean; it never raises for one. A source that
hangs costs the others nothing: the observation is complete in time and names what is missing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import httpx

from kitwai.core.observation import (
    Application,
    HostMetrics,
    Observation,
    Part,
    Past,
    PoolWorker,
    Worker,
)
from kitwai.errors import KitwaiError, PoolError, SourceError
from kitwai.observe import spark_rest
from kitwai.observe.host_metrics import read_host as read_this_host
from kitwai.observe.http import Answer, open_client
from kitwai.observe.spark_rest import ActiveApplication
from kitwai.pools.base import WorkerPool

log = logging.getLogger(__name__)

# Shares of the time-out: what is left after the drivers is for the second look at the master,
# and what is left after that for putting the observation together on a busy machine.
_DRIVERS_SHARE = 0.7
_SOURCES_SHARE = 0.85

T = TypeVar("T")


def observe(
    cluster: str,
    master_url: str,
    pool: WorkerPool | None,
    past: Past,
    *,
    now: Callable[[], float] = time.time,
    timeout_s: float = 2.0,
    read_host: Callable[[], Awaitable[HostMetrics]] = read_this_host,
) -> Observation:
    """Look at ``cluster`` once; call it where no event loop runs.

    Parts of the observation: ``master``, ``applications``, ``pool``, ``host``,
    ``driver addresses``, for each application ``driver <id>``, and ``application <id> limit``
    where its own limit is unreadable.

    :param master_url: the master's web address, ``http://host:8080``; credentials in it are used
        and never shown.
    :param pool: None where the cluster has no pool.
    :param now: the clock (epoch seconds).
    :param timeout_s: the observation is complete within this time, whatever hangs.
    :param read_host: the source of host metrics.
    """
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_UnwaitedExecutor())
        look = _Look(master_url, now, timeout_s)
        return runner.run(look.observe(cluster, pool, past, read_host))


class _Look:
    """One look under way: its deadlines, and what each part gave so far."""

    def __init__(self, master_url: str, now: Callable[[], float], timeout_s: float) -> None:
        self._master_url = master_url
        self._now = now
        started = time.monotonic()
        self._drivers_deadline = started + _DRIVERS_SHARE * timeout_s
        self._deadline = started + _SOURCES_SHARE * timeout_s
        self._read_at: dict[str, float] = {}
        self._errors: dict[str, str] = {}

    async def observe(
        self,
        cluster: str,
        pool: WorkerPool | None,
        past: Past,
        read_host: Callable[[], Awaitable[HostMetrics]],
    ) -> Observation:
        async with open_client() as client:
            (workers, applications), pool_workers, host = await asyncio.gather(
                self._read_cluster(client),
                self._read("pool", self._in_time("The pool", _pool_workers(pool))),
                self._read("host", self._in_time("The source of host metrics", read_host())),
            )
        at = self._now()
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

    async def _read_cluster(
        self, client: httpx.AsyncClient
    ) -> tuple[tuple[Worker, ...] | None, tuple[Application, ...] | None]:
        master = partial(spark_rest.get_master, client, self._master_url)
        page = partial(spark_rest.get_driver_urls, client, self._master_url)
        answer, driver_urls = await asyncio.gather(
            self._read("master", master(timeout_s=_left(self._deadline))),
            self._read("driver addresses", page(timeout_s=_left(self._drivers_deadline))),
        )
        if answer is None:
            self._errors["applications"] = self._errors["master"]
            return None, None
        workers = await self._read("master", _parsed(spark_rest.parse_workers, answer))
        active = await self._read("applications", _parsed(spark_rest.parse_applications, answer))
        if active is None:
            return workers, None
        applications = await asyncio.gather(
            *(self._read_application(client, one, driver_urls) for one in active)
        )
        return workers, await self._without_ended(client, applications)

    async def _read_application(
        self,
        client: httpx.AsyncClient,
        active: ActiveApplication,
        driver_urls: dict[str, str] | None,
    ) -> Application:
        part = _driver_part(active.id)
        read = await self._read(part, self._ask_driver(client, active, driver_urls))
        if read is None:
            error = self._errors[part]
            return Application(active.id, active.name, active.cores, active.elapsed_s, error=error)
        application, faults = read
        if faults:
            self._errors[f"application {active.id} limit"] = " ".join(faults)
        return application

    async def _ask_driver(
        self,
        client: httpx.AsyncClient,
        active: ActiveApplication,
        driver_urls: dict[str, str] | None,
    ) -> tuple[Application, tuple[str, ...]]:
        if driver_urls is None:
            raise SourceError(self._errors["driver addresses"])
        if active.id not in driver_urls:
            raise SourceError(
                f"The master's page links no web interface for application {active.id}: "
                "Kitwai needs spark.ui.enabled=true."
            )
        return await spark_rest.read_application(
            client,
            active,
            driver_urls[active.id],
            timeout_s=_left(self._drivers_deadline),
            now=self._now,
        )

    async def _without_ended(
        self, client: httpx.AsyncClient, applications: Iterable[Application]
    ) -> tuple[Application, ...]:
        """Leave out unreadable applications that the master, asked again, no longer lists."""
        found = tuple(applications)
        if all(one.error is None for one in found):
            return found
        try:
            answer = await spark_rest.get_master(
                client, self._master_url, timeout_s=_left(self._deadline)
            )
            active = {one.id for one in spark_rest.parse_applications(answer)}
        except SourceError:
            return found  # whether they have ended is not known
        ended = {one.id for one in found if one.error is not None} - active
        for app_id in ended:
            self._errors.pop(_driver_part(app_id))
        return tuple(one for one in found if one.id not in ended)

    async def _read(self, part: str, source: Awaitable[T]) -> T | None:
        """What ``source`` gives, noted as ``part``; None when it fails, with its fault noted."""
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
    """Where names are resolved. A resolver that hangs must not hold the observation back."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _pool_workers(pool: WorkerPool | None) -> tuple[PoolWorker, ...]:
    if pool is None:
        raise PoolError("The cluster has no worker pool: configure one to have it scaled.")
    return await _in_daemon_thread(pool.workers)


async def _in_daemon_thread(call: Callable[[], T]) -> T:
    """What the blocking ``call`` gives. A thread of an executor would hold the process's exit
    back if the call hangs for good; a daemon does not.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # from here on, giving up does not disturb the thread

    def work() -> None:
        try:
            outcome.set_result(call())
        except Exception as fault:
            outcome.set_exception(fault)

    threading.Thread(target=work, name="kitwai-pool", daemon=True).start()
    return await asyncio.wrap_future(outcome)


async def _parsed(parse: Callable[[Answer], T], answer: Answer) -> T:
    return parse(answer)


def _driver_part(app_id: str) -> str:
    return f"driver {app_id}"


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
