"""Who owns a demo's folder, and the end of every process that a demo has started.

All these processes, grandchildren and daemons included, carry the demo's id in their environment.
So each of them is found: also a process that was being started when Ctrl-C came, and the processes
of a demo that was killed itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from kitwai.errors import KitwaiError
from kitwai.pools.processes import is_alive, stop_trees

_MARK = "KITWAI_DEMO"
_RECORD = "demo.json"


class DemoError(KitwaiError):
    """The demo cannot run, or did not do what it is to show."""


@contextmanager
def claim(folder: Path) -> Iterator[str]:
    """Own ``folder`` while this runs; gives the demo's id, which every process started now carries.

    Processes that a killed demo has left there are ended first. On leaving, every process with the
    id is ended, unless `keep` was called. Until then SIGINT and SIGTERM raise KeyboardInterrupt,
    once.

    :raises DemoError: a demo runs there, or a demo that was kept is still up.
    """
    with _locked(folder):
        record = _read(folder)
        if record.get("kept") and marked(record["id"]):
            raise DemoError(
                f"A demo is still up in {folder}: end it with `kitwai demo --stop --out {folder}`, "
                "or give this one a folder of its own with --out."
            )
        if record:
            end_all(record["id"])
        demo_id = secrets.token_hex(8)
        _write(folder, {"id": demo_id, "kept": False})
        with _interrupted_once(), _marked_children(demo_id):
            try:
                try:
                    yield demo_id
                finally:
                    _end_unless_kept(folder)
            finally:
                # A signal interrupts once: it can cut short only one of the two calls.
                _end_unless_kept(folder)


def keep(folder: Path) -> None:
    """Leave the demo in ``folder`` up when its command ends."""
    _write(folder, {**_read(folder), "kept": True})


def stop(folder: Path) -> int:
    """End the demo that was kept in ``folder``; returns how many processes were ended.

    :raises DemoError: the demo's command still runs.
    """
    if not (folder / _RECORD).exists():
        return 0
    with _locked(folder):
        demo_id = _read(folder)["id"]
        count = len(marked(demo_id))
        end_all(demo_id)
        (folder / _RECORD).unlink()
    return count


def marked(demo_id: str) -> list[psutil.Process]:
    """The living processes of a demo, without the process that asks."""
    processes = []
    for process in psutil.process_iter():
        # Processes of other users cannot be read, and do not belong to a demo of ours.
        with suppress(psutil.Error, OSError):
            if (
                process.environ().get(_MARK) == demo_id
                and process.pid != os.getpid()
                and is_alive(process)
            ):
                processes.append(process)
    return processes


def end_all(demo_id: str, grace_s: float = 5.0) -> None:
    """End every process of a demo, also processes that are started meanwhile."""
    while processes := marked(demo_id):
        stop_trees(processes, grace_s)


def _end_unless_kept(folder: Path) -> None:
    record = _read(folder)
    if record and not record["kept"]:
        end_all(record["id"])
        (folder / _RECORD).unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            # The system gives the lock up with its process, so a dead demo never blocks.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"A demo is running in {folder}: wait for its end or stop it with Ctrl-C, "
                "or give this one a folder of its own with --out."
            ) from None
        yield


@contextmanager
def _marked_children(demo_id: str) -> Iterator[None]:
    os.environ[_MARK] = demo_id
    try:
        yield
    finally:
        del os.environ[_MARK]


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt, and no further one."""
    raised = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if not raised:
            raised = True
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DemoError(f"{folder / _RECORD} is not a record of a demo: remove it.") from error
    return record


def _write(folder: Path, record: dict[str, Any]) -> None:
    part = folder / f".{_RECORD}.part"
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(folder / _RECORD)
