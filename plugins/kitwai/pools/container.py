"""What pools of containers have in common: how theirs are marked, named, and made a worker."""

from __future__ import annotations

import re
from datetime import datetime

from kitwai.sandbox.spark import DECOMMISSION, QUICK_JVM, java_options

POOL_LABEL = "kitwai.pool"
"""The pool's name, on everything of it that an engine holds."""

WORKER_LABEL = "kitwai.worker"
"""The worker's number, on its container or service."""

NAMES_TRIED = 100
PROCESSES = 4096
"""The most processes and threads of one worker's container."""

LOG_LINES = 1000
"""A stack trace with its causes can be some hundred lines long; what is asked for is before it."""

_CLASSES = "/opt/kitwai/worker.jsa"
"""Of the image (``docker/engine/archive-classes``); a JVM that does not find it starts without."""

ENVIRONMENT = {
    "SPARK_DAEMON_JAVA_OPTS": f"{QUICK_JVM} -XX:SharedArchiveFile={_CLASSES}",
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_WORKER_OPTS": java_options(DECOMMISSION),
}
"""The environment of a worker."""


def name_prefix(pool: str) -> str:
    """What the names of a pool's containers begin with; only a number follows.

    A Java URI's host takes letters, digits and hyphens.
    """
    return f"kitwai-{re.sub('[^a-z0-9]+', '-', pool.lower()).strip('-')[:40]}"


def number_in(labels: dict[str, str]) -> int | None:
    """The worker's number, None where the labels are not those of a worker."""
    number = labels.get(WORKER_LABEL, "")
    return int(number) if re.fullmatch("[0-9]{1,9}", number) else None


def moment(text: str) -> float | None:
    """Epoch seconds of the engine's RFC 3339 ``text``; None for its zero, "0001-01-01...".

    Python reads six digits of a second at most, the engine writes up to nine.
    """
    if text.startswith("0001-"):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text)).timestamp()
