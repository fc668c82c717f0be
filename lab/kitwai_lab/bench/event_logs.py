"""Event logs of real Spark applications, and the same runs at other dates.

The applications are those of `kitwai_lab.bench.workload`: their tasks wait, so that several can run
beside each other on two cores and still take the time that they would take on a cluster.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import psutil

from kitwai.errors import KitwaiError
from kitwai.pools.processes import stop_trees
from kitwai.pools.spark_options import QUICK_JVM
from kitwai_lab.local.spark import event_log_conf, submit

RUNS: tuple[tuple[str, int], ...] = tuple(
    (shape, size)
    for shape, sizes in (("wide", (16, 24, 36)), ("skewed", (60, 90, 130)))
    for size in sizes
)
"""Shapes and sizes: 40 to 110 s of task time each."""

_SLOTS = 2
_TIMEOUT_S = 300.0
_WORKLOAD = Path(__file__).parent / "workload.py"
_EPOCH_MS = re.compile(rb"(?<=:)\s*(1[0-9]{12})(?=[,}])")
_APP_ID = re.compile(rb'"App ID":"([^"]+)"')


def make_event_logs(folder: Path, runs: Sequence[tuple[str, int]] = RUNS) -> list[Path]:
    """Run applications on Spark's local master, all at once; their event logs, in order.

    :raises KitwaiError: one failed or took too long.
    """
    children: list[tuple[subprocess.Popen[bytes], Path, Path]] = []
    try:
        for shape, size in runs:
            events, log = folder / f"{shape}-{size}", folder / f"{shape}-{size}.log"
            events.mkdir(parents=True)
            conf: Mapping[str, str] = {
                "spark.driver.memory": "512m",
                "spark.driver.extraJavaOptions": QUICK_JVM,
                **event_log_conf(events.as_uri()),
            }
            arguments = [shape, "--size", str(size)]
            child = submit(f"local[{_SLOTS}]", _WORKLOAD, arguments, log=log, conf=conf)
            children.append((child, events, log))
        for child, _, log in children:
            if child.wait(_TIMEOUT_S) != 0:
                raise KitwaiError(f"An application failed; see {log}.")
    except subprocess.TimeoutExpired as error:
        raise KitwaiError(f"An application did not end in time; see {folder}.") from error
    finally:
        left = [psutil.Process(child.pid) for child, *_ in children if child.poll() is None]
        if left:
            stop_trees(left)
    return [next(iter(events.iterdir())) for _, events, _ in children]


def shifted(source: Path, target: Path, begin: datetime, app: str) -> Path:
    """Write the event log ``source`` as if its application, under the id ``app``, had begun then.

    :raises KitwaiError: it names no application or no time.
    """
    content = source.read_bytes()
    named, first = _APP_ID.search(content), _EPOCH_MS.search(content)
    if named is None or first is None:
        raise KitwaiError(f"{source} is no event log that could be shifted.")
    start = re.search(rb'ApplicationStart".*?"Timestamp":\s*(1[0-9]{12})', content)
    delta = int(begin.timestamp() * 1000) - int((start or first)[1])
    content = content.replace(named[1], app.encode())
    target.write_bytes(_EPOCH_MS.sub(lambda one: b"%d" % (int(one[1]) + delta), content))
    return target
