"""The right to scale one cluster: a row in the store, taken by compare-and-swap.

Airflow's `max_active_runs` alone is not enough to keep two scalers apart (it has been reported to
slip), and a person may scale from the command line. A holder that dies gives the lease up at once
when the next one runs on the same machine and sees the same processes, else when it expires.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from kitwai.errors import LeaseError, LeaseLostError
from kitwai.store.tables import Base, LeaseRow

_TABLE: sa.Table = Base.metadata.tables[LeaseRow.__tablename__]


class StoreLease:
    """Context manager: holds the lease of ``cluster`` from ``enter`` to ``exit``.

    :raises LeaseError: on entering, when another operation holds it; the message says who.
    """

    def __init__(
        self,
        engine: Engine,
        cluster: str,
        *,
        ttl_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """:param ttl_s: seconds after the last renewal at which others may take it."""
        self._engine = engine
        self._cluster = cluster
        self._ttl_s = ttl_s
        self._clock = clock
        process = psutil.Process()
        self._holder = json.dumps(
            {
                "host": socket.gethostname(),
                "namespace": _pid_namespace(),
                "pid": process.pid,
                "started": process.create_time(),
                "token": uuid.uuid4().hex,
            }
        )

    def __enter__(self) -> Self:
        now = self._clock()
        values = {"holder": self._holder, "expires_at": now + self._ttl_s}
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(_TABLE).where(_TABLE.c.cluster == self._cluster)
            ).first()
        if row is None:
            taken = self._insert(values)
        elif row.expires_at > now and not _is_dead(row.holder):
            raise LeaseError(self._busy(row.holder))
        else:
            taken = self._swap(row.holder, row.expires_at, values)
        if not taken:
            raise LeaseError(f"Another operation on cluster {self._cluster!r} began just now.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._swap(self._holder, None, {"holder": "", "expires_at": 0.0})

    def renew(self) -> None:
        """Keep the lease for another ``ttl_s``.

        :raises LeaseLostError: it ran out and somebody else has taken it.
        """
        expires_at = self._clock() + self._ttl_s
        if not self._swap(self._holder, None, {"expires_at": expires_at}):
            raise LeaseLostError(
                f"The lease on cluster {self._cluster!r} was lost: this operation stops here."
            )

    def _insert(self, values: dict[str, object]) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(_TABLE).values(cluster=self._cluster, **values))
        except IntegrityError:
            return False
        return True

    def _swap(self, holder: str, expires_at: float | None, values: dict[str, object]) -> bool:
        """Write ``values`` if the row is still as it was read."""
        where = [_TABLE.c.cluster == self._cluster, _TABLE.c.holder == holder]
        if expires_at is not None:
            where.append(_TABLE.c.expires_at == expires_at)
        with self._engine.begin() as connection:
            done = connection.execute(sa.update(_TABLE).where(*where).values(**values))
        return done.rowcount == 1

    def _busy(self, holder: str) -> str:
        who = _parse(holder)
        return (
            f"Another operation on cluster {self._cluster!r} is under way "
            f"(process {who.get('pid')} on {who.get('host')})."
        )


def under_way(engine: Engine, cluster: str, now: float) -> str | None:
    """What is scaling ``cluster`` at ``now``, in words; None when nothing is."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(_TABLE).where(_TABLE.c.cluster == cluster)).first()
    if row is None or not row.holder or row.expires_at <= now or _is_dead(row.holder):
        return None
    who = _parse(row.holder)
    return f"A scaling by process {who.get('pid')} on {who.get('host')}"


def _parse(holder: str) -> dict[str, object]:
    try:
        value = json.loads(holder)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _pid_namespace() -> str | None:
    """Within what process ids are comparable: two containers may have the same host name, and each
    numbers its processes from 1. None where the system does not tell.
    """
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{kernel} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _is_dead(holder: str) -> bool:
    """Whether the holder is a process among those seen here that is gone. Unknown is not dead."""
    who = _parse(holder)
    here = _pid_namespace()
    if here is None or (who.get("host"), who.get("namespace")) != (socket.gethostname(), here):
        return not holder
    pid, started = who.get("pid"), who.get("started")
    if not isinstance(pid, int) or not isinstance(started, int | float):
        return False
    try:
        process = psutil.Process(pid)
        return (
            abs(process.create_time() - started) > 1.0 or process.status() == psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
