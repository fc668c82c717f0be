"""Carrying a target out on one cluster: the lease, the pool, and the record of what was done.

The operator and the command line both come through here, so that there is one way to scale.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.core.decide.notices import Notice
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.pools.reach import ScalingOutcome
    from kitwai.store.store import Store
    from kitwai.store.tables import ScalingRow


def scale_cluster(
    store: Store,
    hook: SparkClusterHook,
    target: int,
    *,
    decision_id: int | None = None,
    wait_s: float = 30.0,
) -> ScalingOutcome:
    """Make the pool of the hook's cluster reach ``target`` workers.

    What was done is recorded also when it breaks off, for cooldowns and flaps count it.

    :param decision_id: the decision that asks for it; None when a person does.
    :param wait_s: seconds to wait for it to be complete; the rest is left to the next call.
    :raises LeaseError: another operation on the cluster is under way, and nothing was done.
    :raises LeaseLostError: another has begun meanwhile, which this one has left the cluster to.
    """
    from kitwai.pools.reach import Done, reach

    with store.lease(hook.conn_id) as lease:
        scaling_id = store.begin_scaling(hook.conn_id, target, decision_id)
        done, begun = Done(), time.time()

        def note() -> None:
            store.note_scaling(scaling_id, started=len(done.started), removed=len(done.drained))

        try:
            outcome = reach(
                target, hook.pool, hook.observe, lease, done=done, note=note, wait_s=wait_s
            )
        except BaseException as error:
            # A task that Airflow ends at its deadline raises no `Exception`.
            why = f"It broke off: {str(error) or type(error).__name__}"
            outcome = done.outcome(
                target, settled=False, waiting=(why,), seconds=time.time() - begun
            )
            raise
        finally:
            store.end_scaling(
                scaling_id,
                started=len(outcome.started),
                removed=len(outcome.drained),
                body=dataclasses.asdict(outcome),
            )
    return outcome


def scaling_notices(store: Store, cluster: str, now: float) -> list[Notice]:
    """What people are told after the newest scaling of ``cluster``."""
    from kitwai.core.decide.notices import of_scalings

    newest, *earlier = [_faults(row) for row in store.newest_scalings(cluster, 2)] or [[]]
    return of_scalings(cluster, now, newest, earlier[0] if earlier else None)


def _faults(row: ScalingRow) -> list[str]:
    faults = (row.body or {}).get("failed")
    return [str(fault) for fault in faults] if isinstance(faults, list | tuple) else []
