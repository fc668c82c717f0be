"""How fast Kitwai reacts under each schedule, and what Airflow's processor time that costs.

A worker of an idle cluster is taken away; the reaction is the time until another is launched.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from kitwai.bench.setup import CLUSTER, Bench, running_bench
from kitwai.errors import KitwaiError
from kitwai.sandbox.airflow import session_members

_WORKERS = 2
_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Reaction:
    """One schedule: reaction times, mean time between two decisions, processor use."""

    step: str
    reaction_s: tuple[float, ...]
    interval_s: float
    cpu_s_per_minute: float

    @property
    def median_s(self) -> float:
        """The median reaction."""
        return statistics.median(self.reaction_s)


def bench_reaction(
    step: str, rounds: int, seed: int = 0, progress: Callable[[int], None] = lambda done: None
) -> Reaction:
    """Take a worker away ``rounds`` times, each at a random moment of a step.

    :param step: option ``step`` of `[kitwai]`: a time, or ``@continuous``.
    :raises KitwaiError: a worker was not replaced in time.
    """
    chance = random.Random(seed)
    reactions = []
    with running_bench(
        step=step, workers=_WORKERS, min_workers=_WORKERS, quiet=0, mode="auto", cooldown_out=0
    ) as bench:
        _wait(lambda: bool(bench.store.decisions(CLUSTER)), "the first decision")
        begun, cpu = time.time(), _cpu_seconds(bench)
        for index in range(rounds):
            time.sleep(chance.uniform(5.0, 25.0))
            reactions.append(_replaced_after(bench))
            progress(index + 1)
        minutes = (time.time() - begun) / 60.0
        used = _cpu_seconds(bench) - cpu
        moments = [stored.decision.at for stored in bench.store.decisions(CLUSTER, begun)]
    interval = (moments[-1] - moments[0]) / max(1, len(moments) - 1)
    return Reaction(step, tuple(reactions), interval, used / minutes)


def _replaced_after(bench: Bench) -> float:
    victim = next(worker for worker in bench.pool.workers() if worker.alive)
    known = {worker.name for worker in bench.pool.workers()}
    gone_at = time.time()
    bench.pool.stop(victim)

    def new() -> list[float]:
        return [w.started_at for w in bench.pool.workers() if w.alive and w.name not in known]

    _wait(lambda: bool(new()), f"the replacement of {victim.name}")
    return new()[0] - gone_at


def _cpu_seconds(bench: Bench) -> float:
    """Processor time of all of Airflow's processes, of those that have ended too."""
    total = 0.0
    for process in session_members(bench.airflow.session or 0):
        with suppress(Exception):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _wait(ready: Callable[[], bool], what: str) -> None:
    until = time.time() + _TIMEOUT_S
    while not ready():
        if time.time() > until:
            raise KitwaiError(f"{what} took longer than {_TIMEOUT_S:.0f} s; nothing was measured.")
        time.sleep(0.1)
