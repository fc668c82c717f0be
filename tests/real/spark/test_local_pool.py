from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kitwai.core.records.observation import PoolWorker, WorkerState
from kitwai.errors import PoolError
from kitwai.pools import processes
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.reach import reach
from kitwai.pools.worker import WORKER_CLASS
from pool_contract import PoolContract

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def lone_pool(tmp_path: Path) -> Iterator[LocalWorkerPool]:
    """A pool whose workers find no master, for what needs none."""
    pool = LocalWorkerPool(f"spark://127.0.0.1:{processes.free_port()}", tmp_path / "pool")
    yield pool
    pool.stop_all()


def living(pool: LocalWorkerPool) -> list[PoolWorker]:
    return [worker for worker in pool.workers() if worker.alive]


def worker_jvm(pool: LocalWorkerPool, worker: PoolWorker) -> psutil.Process:
    """The process that runs this worker, found as a person would find it."""
    folder = str(pool.directory / worker.name)
    parents = {p: parent for p in processes.every() if (parent := _parent(p, folder)) is not None}
    own = {process.pid for process in parents}
    (top,) = (process for process, parent in parents.items() if parent not in own)
    return top


def _parent(process: psutil.Process, folder: str) -> int | None:
    """The id of the parent; None if the process does not name the folder, or has ended."""
    try:
        return process.ppid() if folder in process.cmdline() else None
    except psutil.Error:
        return None


def registered(look, count: int) -> bool:
    serving = look().serving
    return serving is not None and len(serving) == count


@pytest.fixture
def again(lone_pool):
    return lambda: LocalWorkerPool(lone_pool.master_url, lone_pool.directory)


@pytest.fixture
def starter(lone_pool):
    code = (
        "import sys; from pathlib import Path\n"
        "from kitwai.pools.local.local_pool import LocalWorkerPool\n"
        "LocalWorkerPool(sys.argv[1], Path(sys.argv[2])).start(int(sys.argv[3]))"
    )
    pool = [lone_pool.master_url, str(lone_pool.directory)]
    return lambda count: [sys.executable, "-c", code, *pool, str(count)]


@pytest.fixture
def kill():
    return lambda pool, worker: worker_jvm(pool, worker).send_signal(signal.SIGKILL)


@pytest.fixture
def freeze():
    return lambda pool, worker: worker_jvm(pool, worker).suspend()


class TestLocalPool(PoolContract):
    """The contract that every pool keeps."""


def test_start_registers_workers_with_addresses_of_their_own(pool, look, wait_for):
    started = pool.start(2)
    assert [worker.name for worker in started] == ["worker-1", "worker-2"]
    assert {worker.name for worker in living(pool)} == {"worker-1", "worker-2"}
    wait_for(lambda: registered(look, 2))
    listed = look().workers
    assert {worker.host for worker in listed} == {worker.host for worker in started}
    assert len({worker.host for worker in listed}) == 2
    assert {worker.cores for worker in listed} == {2}


def test_a_second_pool_and_a_second_process_see_the_same_workers(lone_pool):
    lone_pool.start(2)
    other = LocalWorkerPool(lone_pool.master_url, lone_pool.directory)
    assert other.workers() == lone_pool.workers()
    code = (
        "import sys; from pathlib import Path\n"
        "from kitwai.pools.local.local_pool import LocalWorkerPool\n"
        "pool = LocalWorkerPool(sys.argv[1], Path(sys.argv[2]))\n"
        "for worker in pool.workers(): print(worker.name, worker.alive); pool.stop(worker)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, lone_pool.master_url, str(lone_pool.directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split("\n")[:2] == ["worker-1 True", "worker-2 True"]
    assert living(lone_pool) == []


def test_processes_that_only_mention_a_worker_are_none(lone_pool):
    (worker,) = lone_pool.start(1)
    folder = lone_pool.directory / worker.name
    lone_pool.stop(worker)
    waits = [sys.executable, "-c", "import time; time.sleep(600)"]
    children = [
        subprocess.Popen([*waits, f"{WORKER_CLASS} --work-dir {folder}"]),
        subprocess.Popen([*waits, "--work-dir", str(folder)]),
        subprocess.Popen([*waits, WORKER_CLASS, "--work-dir", f"{lone_pool.directory}-2/worker-1"]),
    ]
    try:
        assert living(lone_pool) == []
        lone_pool.stop(worker)
        lone_pool.stop_all()
        assert [child.poll() for child in children] == [None, None, None]
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_worker_that_was_forked_and_is_not_a_worker_yet_is_waited_for(lone_pool):
    folder = lone_pool.directory / "worker-1"
    folder.mkdir(parents=True)
    (folder / "started").touch()
    becomes = (
        "import os, sys, time; time.sleep(0.7)\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', "
        f"'{WORKER_CLASS}', '--work-dir', {str(folder)!r}])"
    )
    child = subprocess.Popen([sys.executable, "-c", becomes])
    try:
        assert [worker.name for worker in living(lone_pool)] == ["worker-1"]
    finally:
        child.kill()
        child.wait()
    assert living(lone_pool) == []


def test_old_folders_go_but_the_last_logs_stay(lone_pool):
    for number in range(1, 10):
        folder = lone_pool.directory / f"worker-{number}"
        folder.mkdir(parents=True)
        (folder / "ended").touch()
        os.utime(folder / "ended", (0, 0))
    assert lone_pool.workers() == ()
    (worker,) = lone_pool.start(1)
    assert worker.name == "worker-10"
    kept = {folder.name for folder in lone_pool.directory.iterdir()}
    assert kept == {f"worker-{number}" for number in (5, 6, 7, 8, 9, 10)}


def test_executors_of_other_people_do_not_see_airflows_settings(lone_pool, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("_AIRFLOW_WWW_USER_PASSWORD", "secret")
    (worker,) = lone_pool.start(1)
    assert "secret" not in worker_jvm(lone_pool, worker).environ().values()


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:7077", "http://127.0.0.1:8080", "spark://127.0.0.1", "spark://a:x"]
)
def test_a_malformed_master_address_is_one_clear_error(url, tmp_path):
    with pytest.raises(PoolError, match="spark://host:port"):
        LocalWorkerPool(url, tmp_path / "pool")


@pytest.mark.parametrize("size", [{"cores": 0}, {"memory_mb": 0}])
def test_a_worker_without_cores_or_memory_is_an_error(size, tmp_path):
    with pytest.raises(PoolError, match="at least 1 core"):
        LocalWorkerPool("spark://127.0.0.1:7077", tmp_path / "pool", **size)


@pytest.mark.parametrize(
    ("java_home", "message"),
    [(None, "Java was not found"), ("/nowhere", "JAVA_HOME is /nowhere")],
)
def test_missing_java_is_one_clear_error(java_home, message, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if java_home:
        monkeypatch.setenv("JAVA_HOME", java_home)
    _starts_nothing(tmp_path, message)


def test_missing_spark_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    _starts_nothing(tmp_path, "SPARK_HOME is")


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    pool = LocalWorkerPool("spark://127.0.0.1:7077", tmp_path / "file" / "pool")
    with pytest.raises(PoolError, match="file/pool"):
        pool.start(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
@pytest.mark.parametrize("files", [1, 2])
def test_on_a_full_disk_a_start_is_one_clear_sentence_and_nothing_is_left(
    files, lone_pool, tmp_path
):
    lone_pool.directory.mkdir()
    small = ["-o", f"size=4k,nr_inodes={files}"]  # room for the folder itself and so many less one
    subprocess.run(["mount", "-t", "tmpfs", *small, "full", lone_pool.directory], check=True)
    try:
        with pytest.raises(PoolError, match=r"cannot start workers in .*No space left") as caught:
            lone_pool.start(1)
        assert "\n" not in str(caught.value)
        assert list(lone_pool.directory.iterdir()) == []
        assert lone_pool.workers() == ()
    finally:
        subprocess.run(["umount", lone_pool.directory], check=True)


def _starts_nothing(folder: Path, message: str) -> None:
    pool = LocalWorkerPool("spark://127.0.0.1:7077", folder / "pool")
    with pytest.raises(PoolError, match=message):
        pool.start(1)
    assert not pool.directory.exists()
    assert pool.workers() == ()


def test_a_drain_that_was_noted_and_not_sent_is_sent_later(pool, look, lease, wait_for):
    """Its process ended in between."""
    assert reach(1, pool, look, lease, wait_s=90.0).settled
    (worker,) = pool.workers()
    mark = pool.directory / worker.name / "draining"
    mark.touch()
    pool.drain(worker)
    time.sleep(1.0)
    assert {one.state for one in look().workers} == {WorkerState.ALIVE}
    os.utime(mark, (time.time() - 60.0,) * 2)
    pool.drain(worker)
    wait_for(lambda: WorkerState.DECOMMISSIONED in {one.state for one in look().workers})
    assert living(pool) == list(pool.workers())
