"""What pools of containers have in common: how theirs are marked, named, and made a worker."""

from __future__ import annotations

import io
import itertools
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from kitwai.errors import PoolError
from kitwai.pools.docker.client import Engine
from kitwai.pools.spark_options import DECOMMISSION, QUICK_JVM, SHUFFLE_SERVICE, java_options
from kitwai.pools.worker import check_worker

if TYPE_CHECKING:
    from kitwai.config.pools.docker import ContainerConfig

Made = TypeVar("Made")

HOME = "/var/lib/spark"
"""Home of the image's user."""

USER_ID = 10001
"""The image's user."""

AUTH_FILE = f"{HOME}/kitwai-auth.conf"
"""Where a container has the secret of its cluster: in no environment, label or command line."""

POOL_LABEL = "kitwai.pool"
"""The pool's name, on everything of it that an engine holds."""

WORKER_LABEL = "kitwai.worker"
"""The worker's number, on its container or service."""

_NAMES_TRIED = 100
PROCESSES = 4096
"""The most processes and threads of one worker's container."""

LOG_LINES = 1000
"""A stack trace with its causes can be some hundred lines long; what is asked for is before it."""

ENVIRONMENT = {
    "SPARK_DAEMON_JAVA_OPTS": QUICK_JVM,
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_WORKER_OPTS": java_options(
        # For applications that use the service; it need remember nothing, a container's files end
        # with it.
        {**DECOMMISSION, **SHUFFLE_SERVICE, "spark.shuffle.service.db.enabled": "false"}
    ),
}
"""The environment of a worker."""


class ContainerPool:
    """An engine, and what a worker on it is made of."""

    def __init__(
        self,
        master_url: str,
        name: str,
        containers: ContainerConfig,
        cores: int = 2,
        memory_mb: int = 1024,
        secret: str | None = None,
    ) -> None:
        """
        :param master_url: ``spark://host:port``, as containers in the network reach it.
        :param name: what makes two pools of one engine the same one.
        :param cores: cores that each worker offers; ``memory_mb``: memory in MiB.
        :param secret: Spark's ``spark.authenticate.secret``; workers get it in a file.
        :raises PoolError: the master's address or a size cannot be one.
        """
        check_worker(master_url, cores, memory_mb)
        self.master_url = master_url
        self.name = name
        self.containers = containers
        self.cores = cores
        self.memory_mb = memory_mb
        self.secret = secret
        self.engine = Engine(containers.engine_url)
        # A Java URI's host takes letters, digits and hyphens; only a number follows.
        self._prefix = f"kitwai-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')[:40]}"

    def _under_free_name(self, newest: int, create: Callable[[str, int], Made | None]) -> Made:
        """What ``create`` makes under the first free number after ``newest``.

        :param create: takes a name and its number; returns None where the name is another's.
        :raises PoolError: too many names are.
        """
        for number in itertools.islice(itertools.count(newest + 1), _NAMES_TRIED):
            made = create(f"{self._prefix}-{number}", number)
            if made is not None:
                return made
        raise PoolError(
            f"The Docker engine at {self.engine.url} has what belongs to others under the names "
            f"{self._prefix}-{newest + 1} and so on: remove it or name the connection otherwise."
        )


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


def archive(files: Mapping[str, bytes], *, mode: int = 0o444, mtime: float | None = None) -> bytes:
    """A tar archive of ``files``, by path from the root, that belong to the image's user."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(data), mode
            entry.uid = entry.gid = USER_ID
            entry.mtime = time.time() if mtime is None else mtime
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()
