"""A scaler in a process of its own, with the lease of a store; may kill itself in the middle.

Arguments: store, master URL, web URL, pool folder, target, and optionally ``before N`` or
``after N``: the start at which it dies as if by kill -9.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from kitwai.core.records.observation import Past
from kitwai.errors import LeaseError
from kitwai.observe.look import observe
from kitwai.pools import processes
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.reach import reach
from kitwai.store.store import Store


def die_at(moment: str, number: int) -> None:
    """Kill this process ``before`` or ``after`` it starts its worker ``number`` (from 1)."""
    really_spawn, spawned = processes.spawn, 0

    def spawn(*args, **kwargs):
        nonlocal spawned
        spawned += 1
        if spawned < number:
            return really_spawn(*args, **kwargs)
        if moment == "after":
            really_spawn(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    processes.spawn = spawn


def main(store: str, master: str, web: str, folder: str, target: str, *death: str) -> None:
    if death:
        die_at(death[0], int(death[1]))
    pool = LocalWorkerPool(master, Path(folder), memory_mb=512)
    look = partial(observe, "test", web, pool, Past(), timeout_s=10.0)
    opened = Store(store)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with opened.operation("test", int(target)) as operation:
                outcome = reach(int(target), pool, look, operation, wait_s=90)
        except LeaseError:
            time.sleep(0.2)
            continue
        print(len(outcome.started))
        sys.exit(0 if outcome.settled else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
