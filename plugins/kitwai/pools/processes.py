"""Processes that outlive the one that starts them: start, find again, signal, end with all theirs.

Owns every signal that Kitwai sends. A `psutil.Process` stands for a pid *and* its start time: it
refuses to signal, and is not alive, once somebody else has the pid.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

_POLL_S = 0.05

# Handles of the children of this process: without them an ended child would stay a zombie.
_children: list[subprocess.Popen[bytes]] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of ``host`` that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, its output appended to ``log``.

    It does not end with this process, nor with a Ctrl-C in its terminal.
    :raises OSError: the command or the log cannot be opened.
    """
    reap()
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    _children.append(child)
    return child


def reap() -> None:
    """Collect the exit status of children that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def every() -> Iterator[psutil.Process]:
    """All processes of this machine, each looked up anew.

    `psutil.process_iter` keeps its handles, which are dead ones where a pid was given away.
    """
    for pid in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess):
            yield psutil.Process(pid)


def is_alive(process: psutil.Process) -> bool:
    """True while this very process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Signal ``process``; False when it is gone, whoever has its pid now."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def stop_trees(roots: Iterable[psutil.Process], grace_s: float = 10.0) -> None:
    """End ``roots`` and everything they started: SIGTERM, SIGKILL after ``grace_s`` seconds."""
    roots = list(roots)
    sessions = {root.pid for root in roots if _leads_session(root)}
    family = _family(roots, sessions)
    for process in family:
        send(process, signal.SIGTERM)
    _wait(family, grace_s)
    # Whatever was started while the others ended is found by its session.
    stubborn = _family([process for process in family if is_alive(process)], sessions)
    for process in stubborn:
        send(process, signal.SIGKILL)
    _wait(stubborn, grace_s)


def _family(roots: Sequence[psutil.Process], sessions: set[int]) -> list[psutil.Process]:
    """The living among ``roots``, their descendants and the members of ``sessions``."""
    members: dict[int, psutil.Process] = {root.pid: root for root in roots}
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            members |= {child.pid: child for child in root.children(recursive=True)}
    if sessions:
        for process in every():
            with contextlib.suppress(OSError):
                if os.getsid(process.pid) in sessions:
                    members.setdefault(process.pid, process)
    return [process for process in members.values() if is_alive(process)]


def _leads_session(process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == process.pid and is_alive(process)
    except OSError:
        return False


def _wait(processes: Sequence[psutil.Process], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while any(is_alive(process) for process in processes) and time.monotonic() < deadline:
        reap()
        time.sleep(_POLL_S)
    reap()
