"""Carrying out a target: look, plan, act, until the pool has reached it or time is up.

Owns the order of things; what to do is `kitwai.core.decide.scaling_plan`'s, how is the pool's.
What one call leaves unfinished, the next one sees and continues. It need know nothing of the call
before but what its operation tells: when the scaling began, and which workers it started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kitwai.core.decide.scaling_plan import ScalingPlan, foreign_workers, loads, plan_scaling
from kitwai.core.records.observation import Observation, PoolWorker
from kitwai.core.records.scaling import ScalingOutcome, ScalingProgress
from kitwai.errors import InvalidInputError, PoolError
from kitwai.pools.base import Operation, WorkerPool
from kitwai.pools.worker import DRAIN_TIMEOUT_S

SURE_S = 10.0
"""So many seconds from the begin of a scaling, a driver without an answer is asked again who may
leave; then it is chosen."""

SILENT_S = 15.0
"""A started worker that has not registered after so many seconds is asked for its last words."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time as `reach` knows it: ``now`` in epoch seconds, ``poll_s`` from look to look."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    poll_s: float = 0.5


def reach(
    target: int,
    pool: WorkerPool,
    look: Callable[[], Observation],
    operation: Operation,
    *,
    wait_s: float = 30.0,
    sure_s: float = SURE_S,
    drain_timeout_s: float = DRAIN_TIMEOUT_S,
    clock: Clock = Clock(),
) -> ScalingOutcome:
    """Make ``pool`` reach ``target`` workers, those that others run on the cluster included.

    Calling it again changes nothing more: the target is absolute, and what is under way counts.
    While the master or the pool cannot be read, nothing is touched. A fault of the pool ends the
    call and is named in the outcome.

    :param look: reads the cluster anew: master, drivers and pool.
    :param operation: the right to do it, and its record, which is kept also when the call raises.
    :param wait_s: seconds after which what is unfinished is left to the next call. With 0 it does
        once what is to be done.
    :param sure_s: seconds from the begin of the scaling in which a driver without an answer is
        asked again before it is chosen who leaves; continued operations count.
    :param drain_timeout_s: seconds after which a draining worker is ended with what it has.
    :raises InvalidInputError: the target is below 1.
    :raises LeaseLostError: what was done before is in ``operation.done``, nothing more was.
    """
    if target < 1:
        raise InvalidInputError(f"A cluster keeps at least 1 worker; the target was {target}.")
    begun = clock.now()
    done = operation.done
    actions = _Actions(pool, operation, operation.before, done)
    while True:
        looked_at = clock.now()
        seen = look()
        unregistered: tuple[PoolWorker, ...] = ()
        if seen.pool is None or seen.workers is None:
            settled, waiting = False, _unreadable(seen)
        else:
            plan = plan_scaling(
                target,
                seen.pool,
                loads(seen),
                now=clock.now(),
                drain_timeout_s=drain_timeout_s,
                foreign=foreign_workers(seen),
                patient=clock.now() - operation.begun_at < sure_s,
            )
            settled, waiting, unregistered = plan.settled, plan.waiting, plan.unregistered
            actions.carry_out(plan, seen.pool)
        now = clock.now()
        # Another look is worth it only if it ends in time; a driver without an answer takes long.
        round_s = now - looked_at + clock.poll_s
        if settled or done.failed or now - begun + round_s > wait_s:
            break
        clock.sleep(clock.poll_s)
    if not settled:
        waiting = (*waiting, *actions.last_words(seen, unregistered, clock.now()))
    return done.outcome(target, settled=settled, waiting=waiting, seconds=clock.now() - begun)


@dataclass
class _Actions:
    """What one call does to the pool."""

    pool: WorkerPool
    operation: Operation
    before: ScalingProgress
    done: ScalingProgress

    def carry_out(self, plan: ScalingPlan, seen: tuple[PoolWorker, ...]) -> None:
        """Act on ``plan``, or say in ``done.failed`` why not.

        A worker that cannot be told or ended keeps no other one from it.
        """
        if plan.start and not self._keep_dying(seen, plan.start):
            self.operation.renew()
            with self._failing():
                self.pool.start(plan.start, self._started)
        undrained = set()
        for worker in plan.drain:
            self.operation.renew()
            undrained.add(worker.name)
            with self._failing():
                self.pool.drain(worker)
                undrained.remove(worker.name)
                # A worker that drains is told again at every look, also by the next operation.
                if worker.name not in self.before.drained | self.done.drained:
                    self.done.drained[worker.name] = None
                    self.operation.note()
        for worker in plan.stop:
            if worker.name in undrained:
                continue
            self.operation.renew()
            with self._failing():
                self.pool.stop(worker)
                self.done.stopped[worker.name] = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except PoolError as error:
            self.done.failed.append(str(error))

    def _started(self, worker: PoolWorker) -> None:
        self.done.started[worker.name] = None
        self.operation.note()

    def _keep_dying(self, seen: tuple[PoolWorker, ...], missing: int) -> bool:
        """Whether started workers died again after they had been replaced once, in this call.

        Each call tries once more, and names those that died before as well.
        """
        started, told = set[str](), set[str]()
        for progress in (self.before, self.done):
            started |= progress.started.keys()
            told |= progress.drained.keys() | progress.stopped.keys()
        dead = [w for w in seen if not w.alive and w.name in started - told]
        # More have died than are missing: some of them were to replace others.
        if len(dead) <= missing:
            return False
        self.done.failed += [
            f"{worker.name} ended soon after its start: {self._last_words(worker)}"
            for worker in dead[-missing:]
        ]
        return bool(self.done.started)

    def last_words(
        self, seen: Observation, unregistered: tuple[PoolWorker, ...], now: float
    ) -> list[str]:
        """Why started workers may not have registered yet, though there was time enough."""
        started = self.before.started | self.done.started
        silent = [
            worker
            for worker in seen.starting
            if worker in unregistered
            or (worker.name in started and now - worker.started_at >= SILENT_S)
        ]
        return [
            f"{worker.name} has not registered; its log ends: {self._last_words(worker)}"
            for worker in silent
        ]

    def _last_words(self, worker: PoolWorker) -> str:
        try:
            return self.pool.last_words(worker)
        except PoolError as error:
            return str(error)


def _unreadable(seen: Observation) -> tuple[str, ...]:
    """Why nothing can be done now."""
    missing = [
        name for name, part in (("master", seen.workers), ("pool", seen.pool)) if part is None
    ]
    why = {part.name: part.error for part in seen.parts}
    return tuple(
        f"Nothing was touched, because the {name} gave no answer: {why.get(name) or 'no reason'}"
        for name in missing
    )
