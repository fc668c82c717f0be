"""Spark's classes in an archive of the JVM: what starts from there needs half the processor time.

A driver with two executors took 22 s of it without options, 15 s with `QUICK_JVM` alone, 10 s with
the archive as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from kitwai.errors import PoolError
from kitwai.pools.processes import stop_trees
from kitwai.pools.spark_options import QUICK_JVM, check_java, find_spark_home
from kitwai_lab.local.spark import event_log_conf, submit
from places import REPOSITORY

VARIABLE = "JDK_JAVA_OPTIONS"
"""The environment variable whose options every JVM takes."""

_SCRIPT = REPOSITORY / "docker" / "spark" / "classes.py"
_MADE_S = 300.0


@contextmanager
def quick_java(folder: Path) -> Iterator[str]:
    """Gives the options of a JVM that starts quickly, empty where Java or Spark is missing.

    The archive lies in ``folder``. Where it does not, it is made meanwhile: a JVM that does not
    find it starts without.
    """
    try:
        archive = folder / f"spark-{_versions()}.jsa"
    except PoolError:
        yield ""
        return
    maker = None
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        maker = subprocess.Popen([sys.executable, __file__, archive], env=environment)
    try:
        # A class path that differs from the archive's is no fault, and no log is to mention it.
        yield f"{QUICK_JVM} -XX:SharedArchiveFile={archive} -Xlog:cds*=off"
    finally:
        if maker is not None and maker.poll() is None:
            stop_trees([psutil.Process(maker.pid)])
            maker.wait()


def _versions() -> str:
    """A name of this Java and this Spark where it lies: an archive is good for no others."""
    java = subprocess.run([check_java(), "-version"], capture_output=True, check=False).stderr
    jars = find_spark_home() / "jars"
    known = java + _SCRIPT.read_bytes() + str((jars, jars.stat().st_mtime_ns)).encode()
    return hashlib.sha256(known).hexdigest()[:16]


def _make(archive: Path) -> None:
    """Make it, unless another process does."""
    with (archive.parent / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with tempfile.TemporaryDirectory(prefix="classes-", dir=archive.parent) as folder:
            made = Path(folder) / archive.name
            conf = {
                **event_log_conf(Path(folder).as_uri()),
                "spark.driver.extraJavaOptions": f"{QUICK_JVM} -XX:ArchiveClassesAtExit={made}",
                "spark.executor.memory": "512m",
            }
            log = archive.parent / "classes.log"
            application = submit("local[1]", _SCRIPT, log=log, conf=conf, executor_cores=1)
            if application.wait(_MADE_S) == 0:
                made.replace(archive)


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
