"""Scalings in the store: the operation that carries one out, and the record of all.

A step that leaves a scaling unfinished ends its operation. The next step's operation to the same
target continues it: it knows what was done before, and when the target is reached, the earlier
records say so too.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from kitwai.core.records.scaling import ScalingOutcome, ScalingProgress
from kitwai.store.database import add_row
from kitwai.store.lease import StoreLease
from kitwai.store.tables import ScalingRow

CONTINUED_S = 600.0
"""Seconds from the begin of an unfinished scaling within which another operation continues it."""


@dataclass
class Operation:
    """A scaling under way: the lease on its cluster, and its row in the store.

    ``done``: what it has done so far; `kitwai.pools.reach.reach` fills it. ``continued``: the rows
    of the operations that began the same scaling and left it unfinished, newest first.
    ``outcome``: how it ended, set by its owner; None while it is under way, and where it breaks
    off.
    """

    engine: Engine
    id: int
    target: int
    lease: StoreLease
    clock: Callable[[], float]
    started_at: float
    continued: Sequence[ScalingRow] = ()
    done: ScalingProgress = field(default_factory=ScalingProgress)
    outcome: ScalingOutcome | None = None

    @property
    def begun_at(self) -> float:
        """When the scaling began (epoch seconds), in this operation or one that it continues."""
        return self.continued[-1].started_at if self.continued else self.started_at

    @property
    def before(self) -> ScalingProgress:
        """What the continued operations did, oldest first."""
        progress = ScalingProgress()
        for row in reversed(self.continued):
            for kind in ("started", "drained", "stopped"):
                names = (row.body or {}).get(kind)
                if isinstance(names, list):
                    getattr(progress, kind).update(dict.fromkeys(names))
        return progress

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
        by now and what it is ``waiting`` for. Where the target is reached, the continued
        operations have reached it as well.
        """
        outcome = self.outcome or self.done.outcome(
            self.target, settled=False, waiting=waiting, seconds=self.clock() - self.started_at
        )
        now = self.clock()
        with Session(self.engine) as session, session.begin():
            row = session.get_one(ScalingRow, self.id)
            row.ended_at = now
            row.started, row.removed = len(outcome.started), len(outcome.drained)
            row.body = dataclasses.asdict(outcome)
            if outcome.settled:
                for earlier in self.continued:
                    self._reached_by_now(session.get(ScalingRow, earlier.id), now)

    @staticmethod
    def _reached_by_now(row: ScalingRow | None, now: float) -> None:
        """Write into a continued operation's row that its target is reached.

        Its end stays: a cooldown counts from what was done, not from what was waited for.
        """
        # The row of a killed process has no body, and one that grew old meanwhile is deleted.
        if row is not None and row.body is not None:
            reached = {"settled": True, "waiting": [], "seconds": now - row.started_at}
            row.body = {**row.body, **reached}


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
            now = clock()
            continued = self.unfinished(cluster, target, now)
            row = ScalingRow(
                decision_id=decision_id, cluster=cluster, started_at=now, target=target
            )
            row_id = add_row(self.engine, row)
            operation = Operation(self.engine, row_id, target, lease, clock, now, continued)
            try:
                yield operation
            except BaseException as error:
                # A task that Airflow ends at its deadline raises no `Exception`.
                operation.close(f"It broke off: {str(error) or type(error).__name__}")
                raise
            operation.close()

    def unfinished(self, cluster: str, target: int, now: float) -> list[ScalingRow]:
        """The latest operations on ``cluster``, newest first, if they left a scaling to ``target``
        unfinished that began in the last `CONTINUED_S` seconds before ``now``; else nothing.
        """
        query = sa.select(ScalingRow).where(
            ScalingRow.cluster == cluster, ScalingRow.started_at > now - CONTINUED_S
        )
        with Session(self.engine) as session:
            newest = session.scalars(query.order_by(ScalingRow.id.desc()))
            return list(
                takewhile(
                    lambda row: row.target == target and not (row.body or {}).get("settled"), newest
                )
            )

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
