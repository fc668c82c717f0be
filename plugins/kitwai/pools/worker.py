"""What every pool must know of a Spark worker: how it is started, and what its log says."""

from __future__ import annotations

import re

from kitwai.errors import PoolError

WORKER_CLASS = "org.apache.spark.deploy.worker.Worker"

LISTED_AFTER_END_S = 120.0
"""For so many seconds an ended worker's address counts as known: the master lists a lost one as
alive for another 60 s."""

DRAIN_TIMEOUT_S = 90.0
"""So long a worker may take to hand on what it has before it is ended."""

SIGNAL_AGAIN_S = 5.0
"""A worker that was told to leave so long ago and does not is signalled again, not earlier: while
Spark's handler runs, a second SIGPWR takes its usual effect and ends the JVM with all it holds."""

LOGS_KEPT = 5
"""So many workers that ended longer ago than that are kept for their logs."""

_MASTER_URL = re.compile(r"spark://[^\s:/,]+:\d+(,[^\s:/,]+:\d+)*")
_TRACE = re.compile(r"\s|Caused by:")


def check_worker(master_url: str, cores: int, memory_mb: int) -> None:
    """:raises PoolError: the master's address or a worker's size cannot be one."""
    if not _MASTER_URL.fullmatch(master_url):
        raise PoolError(
            f"The master's address must look like spark://host:port, not {master_url!r}."
        )
    if cores < 1 or memory_mb < 1:
        raise PoolError(
            f"A worker needs at least 1 core and 1 MiB, not {cores} and {memory_mb} MiB."
        )


def last_said(log: bytes) -> str | None:
    """The last line of ``log`` that does not belong to a stack trace, None if there is none.

    One that ends with a colon announces its cause and says nothing itself.
    """
    lines = [line.rstrip() for line in log.decode(errors="replace").splitlines()]
    said = [line for line in lines if line and not line.endswith(":") and not _TRACE.match(line)]
    return said[-1][:300] if said else None
