"""A pool of Spark worker processes on this machine.

Owns ``directory``: one folder a worker, named by its number, with its log, its work directory and
up to three empty files whose modification time is the moment: ``started``, ``draining`` and
``ended``. Whether a worker lives is never read from there: the process table is the truth, in which
a worker is the process that runs Spark's ``Worker`` on its folder. So a worker is found again by
any process, also when the one that launched it was killed before it could write anything down.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from kitwai.config.pools import PoolConfig
from kitwai.config.pools.local import LocalSettings
from kitwai.core.records.observation import PoolWorker
from kitwai.errors import PoolError
from kitwai.pools import processes
from kitwai.pools.base import Each, untold
from kitwai.pools.spark_options import (
    DECOMMISSION,
    QUICK_JVM,
    check_java,
    find_spark_home,
    java_options,
    spark_environment,
    write_auth,
)
from kitwai.pools.worker import (
    LISTED_AFTER_END_S,
    LOGS_KEPT,
    SIGNAL_AGAIN_S,
    WORKER_CLASS,
    check_worker,
    last_said,
)

_LAUNCHER = "org.apache.spark.launcher.Main"
_FOLDER = re.compile(r"worker-(\d+)")
_LOG_TAIL = 8192

# A process has the command line of the one that forked it until it runs its own program. On a busy
# machine that has taken a tenth of a second; by then its parent may have been killed.
_BEGINS_S = 2.0


class LocalWorkerPool:
    """`kitwai.pools.base.WorkerPool` of real Spark workers on this machine (Linux).

    Workers run in sessions of their own and outlive the process that started them. Each has its own
    loopback address, or Spark would lose one's shuffle files with another's. Numbers, and with them
    addresses, only grow: the master may still list an ended worker under its address.
    """

    def __init__(
        self,
        master_url: str,
        directory: Path,
        cores: int = 2,
        memory_mb: int = 1024,
        spark_home: Path | None = None,
        secret: str | None = None,
    ) -> None:
        """
        :param master_url: ``spark://host:port``.
        :param directory: what makes two pools the same one; made at the first start.
        :param cores: cores that each worker offers; ``memory_mb``: memory in MiB.
        :param spark_home: the Spark to run; `find_spark_home` by default.
        :param secret: Spark's ``spark.authenticate.secret``; workers get it in a file.
        :raises PoolError: the master's address or a size cannot be one.
        """
        check_worker(master_url, cores, memory_mb)
        self.master_url = master_url
        self.directory = Path(directory).resolve()
        self.cores = cores
        self.memory_mb = memory_mb
        self.spark_home = spark_home
        self.secret = secret

    def workers(self) -> tuple[PoolWorker, ...]:
        """All workers, oldest first; those that ended in the last two minutes with alive=False."""
        folders = self._folders()
        running = self._processes()
        missing = [f for f in folders if f.name not in running and not (f / "ended").exists()]
        if missing:
            # While a process execs its next program, it has no command line for an instant. Only
            # one that is missing twice is called dead.
            running = self._processes() | running
        try:
            while any(f.name not in running and _is_beginning(f) for f in missing):
                time.sleep(0.05)
                running = self._processes() | running
            listed = [self._look_at(folder, running.get(folder.name)) for folder in folders]
        except OSError as error:
            raise PoolError(f"The worker pool's folder cannot be used: {error}.") from error
        return tuple(worker for worker in listed if worker is not None)

    def start(self, count: int, each: Each = untold) -> tuple[PoolWorker, ...]:
        """Start ``count`` more workers; returns at once, before they have registered.

        :param each: called after every started worker.
        :raises PoolError: Java or Spark is missing, or the folder or an address cannot be used.
        """
        check_java()
        spark_home = self.spark_home or find_spark_home()
        started = []
        with self._using_directory():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._prune()
        for _ in range(count):
            with self._using_directory():
                worker = self._launch(spark_home)
            each(worker)
            started.append(worker)
        return tuple(started)

    def drain(self, worker: PoolWorker) -> None:
        """Send the worker the signal to decommission; a second one changes nothing."""
        process = self._find(worker.name)
        if process is None:
            return
        mark = self.directory / worker.name / "draining"
        told = _moment(mark)
        # The moment is written first: told twice is harmless, told and forgotten is not.
        try:
            _mark(mark)
        except OSError as error:
            raise PoolError(f"{worker.name} cannot be drained: {error}.") from error
        if self._is_worker_jvm(process):
            if told is None or time.time() - told > SIGNAL_AGAIN_S:
                processes.send(process, signal.SIGPWR)
        else:
            self.stop(worker)

    def stop(self, worker: PoolWorker) -> None:
        """End the worker with its executors now, by force if it does not go."""
        process = self._find(worker.name)
        if process is not None:
            processes.stop_trees([process])

    def stop_all(self) -> None:
        """End every worker of this pool."""
        processes.stop_trees((self._processes() | self._processes()).values())

    def last_words(self, worker: PoolWorker) -> str:
        """The last line of the worker's log that does not belong to a stack trace."""
        log = self.directory / worker.name / "worker.log"
        try:
            return last_said(log.read_bytes()[-_LOG_TAIL:]) or f"{log} is empty"
        except OSError as error:
            return f"its log cannot be read: {error}"

    def _look_at(self, folder: Path, process: psutil.Process | None) -> PoolWorker | None:
        """The worker of ``folder``, None when it ended long ago."""
        started, draining, ended = (
            _moment(folder / name) for name in ("started", "draining", "ended")
        )
        if process is None and ended is None:
            if not folder.exists():
                return None
            ended = _mark(folder / "ended")
        elif process is not None and ended is not None:
            # Somebody looked between the folder's making and the process's start.
            (folder / "ended").unlink(missing_ok=True)
        if process is None and ended is not None and time.time() - ended > LISTED_AFTER_END_S:
            return None
        return PoolWorker(
            name=folder.name,
            host=self._address(folder.name),
            alive=process is not None,
            started_at=started or folder.stat().st_mtime,
            draining_since=draining,
        )

    @contextlib.contextmanager
    def _using_directory(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PoolError(
                f"The worker pool cannot start workers in {self.directory}: {error}."
            ) from error

    def _launch(self, spark_home: Path) -> PoolWorker:
        folder = self._reserve()
        try:
            return self._run_in(folder, spark_home)
        except (OSError, PoolError):
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _run_in(self, folder: Path, spark_home: Path) -> PoolWorker:
        host = self._address(folder.name)
        _check_address(host)
        environment = spark_environment(spark_home, host)
        environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
        environment["SPARK_WORKER_OPTS"] = " ".join(
            [os.environ.get("SPARK_WORKER_OPTS", ""), java_options(DECOMMISSION)]
        ).strip()
        # What a killed worker leaves behind goes with its folder.
        environment.setdefault("SPARK_LOCAL_DIRS", str(folder / "local"))
        options = ["--work-dir", str(folder)]
        if self.secret is not None:
            options += ["--properties-file", str(write_auth(folder / "auth.conf", self.secret))]
        started = _mark(folder / "started")
        processes.spawn(
            [
                *(spark_home / "bin" / "spark-class", WORKER_CLASS),
                *("--host", host, "--webui-port", "0"),
                *("--cores", str(self.cores), "--memory", f"{self.memory_mb}m"),
                *(*options, self.master_url),
            ],
            log=folder / "worker.log",
            env=environment,
            cwd=folder,
        )
        return PoolWorker(name=folder.name, host=host, alive=True, started_at=started)

    def _reserve(self) -> Path:
        """A new folder with the next number, taken by nobody else."""
        while True:
            newest = max((_number(folder.name) for folder in self._folders()), default=0)
            folder = self.directory / f"worker-{newest + 1}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder

    def _address(self, name: str) -> str:
        """The loopback address of a worker: 127.<this pool>.<its number, in two parts>."""
        high, low = divmod(_number(name), 254)
        pool = zlib.crc32(str(self.directory).encode()) % 254 + 1
        return f"127.{pool}.{high % 256}.{low + 1}"

    def _folders(self) -> list[Path]:
        try:
            found = [f for f in self.directory.iterdir() if _FOLDER.fullmatch(f.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PoolError(f"The worker pool's folder cannot be read: {error}.") from error
        return sorted(found, key=lambda folder: _number(folder.name))

    def _processes(self) -> dict[str, psutil.Process]:
        """The process of each living worker of this pool, by the worker's name.

        A worker begins as a shell that runs a launcher with the same arguments as its child and
        then becomes the worker itself: of one name only the topmost process counts.
        """
        found: dict[str, dict[int, psutil.Process]] = {}
        for process in processes.every():
            try:
                name = self._name_in(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if name is not None:
                found.setdefault(name, {})[process.pid] = process
        result = {}
        for name, family in found.items():
            for process in family.values():
                try:
                    if process.ppid() not in family:
                        result[name] = process
                except psutil.NoSuchProcess:
                    continue
        return result

    def _find(self, name: str) -> psutil.Process | None:
        return self._processes().get(name) or self._processes().get(name)

    def _name_in(self, command: list[str]) -> str | None:
        """The name of the worker of this pool that ``command`` runs, None if it is none."""
        if WORKER_CLASS not in command or "--work-dir" not in command[:-1]:
            return None
        folder = Path(command[command.index("--work-dir") + 1])
        return folder.name if folder.parent == self.directory else None

    @staticmethod
    def _is_worker_jvm(process: psutil.Process) -> bool:
        """Whether it has become the worker; before, it is a shell, which no signal can drain."""
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            return False
        return bool(command) and Path(command[0]).name == "java" and _LAUNCHER not in command

    def _prune(self) -> None:
        """Remove the folders of workers that ended long ago; the last few stay for their logs."""
        listed = {worker.name for worker in self.workers()}
        old = [folder for folder in self._folders() if folder.name not in listed]
        for folder in old[:-LOGS_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)


def make_pool(config: PoolConfig[LocalSettings]) -> LocalWorkerPool:
    """The pool of a connection with pool ``local``."""
    settings = config.settings
    return LocalWorkerPool(
        config.master,
        settings.directory(config.name),
        cores=settings.worker_cores,
        memory_mb=settings.worker_memory_mb,
        secret=config.secret,
        spark_home=settings.home(),
    )


def _check_address(host: str) -> None:
    try:
        processes.free_port(host)
    except OSError as error:
        raise PoolError(
            f"This machine does not answer to the loopback address {host}, which a worker needs "
            f"for itself: {error}."
        ) from error


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _mark(path: Path) -> float:
    """Note the present moment in ``path``, unless one is noted there already; returns it."""
    with contextlib.suppress(FileExistsError):
        path.touch(exist_ok=False)
    return path.stat().st_mtime


def _is_beginning(folder: Path) -> bool:
    started = _moment(folder / "started")
    return started is not None and 0 <= time.time() - started < _BEGINS_S


def _moment(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
