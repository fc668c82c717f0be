"""Scalings in the store: the operation that carries one out, and the record of all."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.scaling import ScalingOutcome, ScalingProgress
from kitwai.store.database import add_row
from kitwai.store.lease import StoreLease
from kitwai.store.tables import ScalingRow


@dataclass
class Operation:
    """A scaling under way: the lease on its cluster, and its row in the store.

    ``done``: what it has done so far; `kitwai.pools.reach.reach` fills it. ``outcome``: how it
    ended, set by its owner; None while it is under way, and where it breaks off.
    """

    engine: Engine
    id: int
    target: int
    lease: StoreLease
    clock: Callable[[], float]
    begun_at: float
    done: ScalingProgress = field(default_factory=ScalingProgress)
    outcome: ScalingOutcome | None = None

    def renew(self) -> None:
        """Keep the lease. :raises LeaseLostError: another operation has taken it."""
        self.lease.renew()

    def note(self) -> None:
        """Write down what is done by now, then keep the lease: the process may be killed.

        :raises LeaseLostError: another operation has taken the lease; the record is written.
        """
        with Session(self.engine) as session, session.begin():
            row = session.get_one(ScalingRow, self.id)
            row.started, row.removed = len(self.done.started), len(self.done.drained)
        self.renew()

    def close(self, *waiting: str) -> None:
        """Write the end into the operation's row: ``outcome``, or where there is none what was done
        by now and what it is ``waiting`` for.
        """
        outcome = self.outcome or self.done.outcome(
            self.target, settled=False, waiting=waiting, seconds=self.clock() - self.begun_at
        )
        with Session(self.engine) as session, session.begin():
            row = session.get_one(ScalingRow, self.id)
            row.ended_at = self.clock()
            row.started, row.removed = len(outcome.started), len(outcome.drained)
            row.body = dataclasses.asdict(outcome)


class ScalingStore:
    """The table of scalings on one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def operation(
        self,
        cluster: str,
        target: int,
        decision_id: int | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Iterator[Operation]:
        """Lend the right to scale ``cluster`` to ``target`` workers, and keep what is done with it.

        The end is written also when the scaling breaks off: cooldowns and flaps count it.

        :param decision_id: the decision that asks for it; None when a person does.
        :param clock: epoch seconds.
        :raises LeaseError: another operation on the cluster is under way; nothing is written.
        """
        with StoreLease(self.engine, cluster, clock=clock) as lease:
            begun_at = clock()
            row = ScalingRow(
                decision_id=decision_id, cluster=cluster, started_at=begun_at, target=target
            )
            row_id = add_row(self.engine, row)
            operation = Operation(self.engine, row_id, target, lease, clock, begun_at)
            try:
                yield operation
            except BaseException as error:
                # A task that Airflow ends at its deadline raises no `Exception`.
                operation.close(f"It broke off: {str(error) or type(error).__name__}")
                raise
            operation.close()

    def scalings(self, cluster: str, since: float = 0.0) -> list[ScalingRow]:
        """The operations on ``cluster`` from the moment ``since``, oldest first."""
        query = sa.select(ScalingRow).where(
            ScalingRow.cluster == cluster, ScalingRow.started_at >= since
        )
        with Session(self.engine) as session:
            return list(session.scalars(query.order_by(ScalingRow.started_at, ScalingRow.id)))

    def newest_scalings(self, cluster: str, most: int) -> list[ScalingRow]:
        """The latest operations on ``cluster`` that have ended, newest first."""
        query = sa.select(ScalingRow).where(
            ScalingRow.cluster == cluster, ScalingRow.ended_at.is_not(None)
        )
        with Session(self.engine) as session:
            return list(session.scalars(query.order_by(ScalingRow.id.desc()).limit(most)))
