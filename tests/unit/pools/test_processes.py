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

from kitwai.pools import processes

IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""

# A child, and a grandchild whose parent ends at once.
FAMILY = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleep)
orphan = f"import subprocess; subprocess.Popen({sleep!r})"
subprocess.run([sys.executable, "-c", orphan], check=True)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def spawned(tmp_path: Path) -> Iterator[list[psutil.Process]]:
    started: list[psutil.Process] = []
    yield started
    processes.stop_trees(started, grace_s=1)


def spawn(code: str, log: Path, spawned: list[psutil.Process]) -> psutil.Process:
    child = processes.spawn([sys.executable, "-c", code], log=log, env=os.environ)
    spawned.append(psutil.Process(child.pid))
    until = time.monotonic() + 20
    while "ready" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    return spawned[-1]


def wait_for_end(process: psutil.Process) -> None:
    until = time.monotonic() + 20
    while processes.is_alive(process) and time.monotonic() < until:
        time.sleep(0.02)
    assert not processes.is_alive(process)


def reuse_a_pid() -> tuple[psutil.Process, subprocess.Popen[bytes]]:
    """A process that has ended, and another one that has its pid now."""
    last_pid = Path("/proc/sys/kernel/ns_last_pid")
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    if not os.access(last_pid, os.W_OK):
        pytest.skip("this user may not choose the next pid")
    for _ in range(50):
        first = subprocess.Popen(command)
        gone = psutil.Process(first.pid)
        first.kill()
        first.wait()
        time.sleep(0.05)  # start times are counted in ticks of 10 ms
        try:
            last_pid.write_text(str(first.pid - 1))
        except OSError:
            pytest.skip("this user may not choose the next pid")
        second = subprocess.Popen(command)
        if second.pid == first.pid:
            return gone, second
        second.kill()
        second.wait()
    raise AssertionError("another process was always faster")


def members(session: int) -> list[int]:
    found = []
    for process in processes.every():
        try:
            if os.getsid(process.pid) == session and processes.is_alive(process):
                found.append(process.pid)
        except OSError:
            continue
    return found


def test_a_process_runs_in_its_own_session_and_is_found_again(tmp_path, spawned):
    process = spawn("print('ready', flush=True); import time; time.sleep(600)",
                    tmp_path / "log", spawned)  # fmt: skip
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert process in list(processes.every())


def test_a_process_that_has_ended_is_neither_alive_nor_signalled(tmp_path, spawned):
    process = spawn("print('ready', flush=True)", tmp_path / "log", spawned)
    wait_for_end(process)
    processes.reap()
    assert not processes.send(process, signal.SIGTERM)
    assert process not in list(processes.every())


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    zombie = psutil.Process(child.pid)
    wait_for_end(zombie)
    assert zombie.status() == psutil.STATUS_ZOMBIE
    assert not processes.is_alive(zombie)
    child.wait()


def test_whoever_has_the_pid_now_is_not_signalled():
    gone, newcomer = reuse_a_pid()
    try:
        assert gone.pid == newcomer.pid
        assert not processes.is_alive(gone)
        assert not processes.send(gone, signal.SIGKILL)
        processes.stop_trees([gone])
        assert newcomer.poll() is None
        assert psutil.Process(newcomer.pid) in list(processes.every())
    finally:
        newcomer.kill()
        newcomer.wait()


def test_stopping_ends_children_and_orphans(tmp_path, spawned):
    process = spawn(FAMILY, tmp_path / "log", spawned)
    assert len(members(process.pid)) == 3
    processes.stop_trees([process])
    assert members(process.pid) == []


def test_what_ignores_sigterm_is_killed(tmp_path, spawned):
    process = spawn(IGNORES_SIGTERM, tmp_path / "log", spawned)
    processes.stop_trees([process], grace_s=0.2)
    assert not processes.is_alive(process)


def test_stopping_what_has_ended_does_nothing(tmp_path, spawned):
    process = spawn("print('ready', flush=True)", tmp_path / "log", spawned)
    processes.stop_trees([process])
    processes.stop_trees([process])


def test_a_command_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(OSError):
        processes.spawn([tmp_path / "nothing"], log=tmp_path / "log", env={})


def test_a_free_port_can_be_bound():
    assert 1024 <= processes.free_port() <= 65535
