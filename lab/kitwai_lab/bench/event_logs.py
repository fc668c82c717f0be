"""Event logs of real Spark applications, and the same runs at other dates.

The applications are those of `kitwai_lab.bench.workload`. Their tasks wait, so several applications
can run side by side on two cores and still take the time that they would take on a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from kitwai.errors import KitwaiError
from kitwai.pools.spark_options import QUICK_JVM
from kitwai_lab.bench.workload import WORKLOAD
from kitwai_lab.local.spark import LocalApplication, run_application

RUNS: tuple[tuple[str, int], ...] = tuple(
    (shape, size)
    for shape, sizes in (("wide", (16, 24, 36)), ("skewed", (60, 90, 130)))
    for size in sizes
)
"""Shapes and sizes: 40 to 110 s of task time each."""

_MASTER = "local[2]"
_TIMEOUT_S = 300.0
_EPOCH_MS = re.compile(rb"(?<=:)\s*(1[0-9]{12})(?=[,}])")
_APP_ID = re.compile(rb'"App ID":"([^"]+)"')


def make_event_logs(folder: Path, runs: Sequence[tuple[str, int]] = RUNS) -> list[Path]:
    """Run applications on Spark's local master, all at once.

    :param runs: shapes of `kitwai_lab.bench.workload`, with sizes.
    :returns: the event logs, in the order of ``runs``.
    :raises KitwaiError: an application failed or took too long.
    """
    conf = {"spark.driver.memory": "512m", "spark.driver.extraJavaOptions": QUICK_JVM}
    applications: list[LocalApplication] = []
    try:
        for shape, size in runs:
            place = folder / f"{shape}-{size}"
            arguments = [shape, "--size", str(size)]
            applications.append(run_application(_MASTER, WORKLOAD, arguments, place, conf=conf))
        for application in applications:
            application.finish(_TIMEOUT_S)
    finally:
        for application in applications:
            application.stop()
    return [application.event_log_file() for application in applications]


def shifted(source: Path, target: Path, begin: datetime, app: str) -> Path:
    """Write an event log as if its application had begun at another moment; returns ``target``.

    :param source: the event log of one plain file.
    :param begin: when the application begins in ``target``; ``app``: its id there.
    :raises KitwaiError: ``source`` names no application or no time.
    """
    content = source.read_bytes()
    app_id, first = _APP_ID.search(content), _EPOCH_MS.search(content)
    if app_id is None or first is None:
        raise KitwaiError(f"{source} is no event log that could be shifted.")
    start = re.search(rb'ApplicationStart".*?"Timestamp":\s*(1[0-9]{12})', content)
    delta = int(begin.timestamp() * 1000) - int((start or first)[1])
    content = content.replace(app_id[1], app.encode())
    target.write_bytes(_EPOCH_MS.sub(lambda at: b"%d" % (int(at[1]) + delta), content))
    return target
