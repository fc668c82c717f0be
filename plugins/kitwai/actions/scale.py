"""Carrying a target out on one cluster: the lease, the pool, and the record of what was done.

The operator and the command line both come through here, so that there is one way to scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.core.decide.notices import Notice
    from kitwai.core.records.scaling import ScalingOutcome
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.store import Store
    from kitwai.store.tables import ScalingRow

_LOOK_BACK = 50
"""Most scalings that are read to find the one before: those of ten minutes, as steps go."""


def scale_cluster(
    store: Store,
    hook: SparkClusterHook,
    target: int,
    *,
    decision_id: int | None = None,
    wait_s: float = 30.0,
) -> ScalingOutcome:
    """Make the pool of the hook's cluster reach ``target`` workers, on record in ``store``.

    :param decision_id: the decision that asks for it; None when a person does.
    :param wait_s: seconds to wait for it to be complete; the rest is left to the next call. After a
        decision the next step continues; after a person's command perhaps nobody does.
    :raises LeaseError: another operation on the cluster is under way, and nothing was done.
    :raises LeaseLostError: another operation has begun meanwhile; this one has left the cluster.
    """
    from kitwai.pools.reach import SURE_S, reach

    sure_s = min(SURE_S, wait_s) if decision_id is None else SURE_S
    with store.operation(hook.conn_id, target, decision_id) as operation:
        outcome = reach(target, hook.pool, hook.observe, operation, wait_s=wait_s, sure_s=sure_s)
        operation.outcome = outcome
    return outcome


def scaling_notices(store: Store, cluster: str, now: float) -> list[Notice]:
    """What people are told after the newest scaling of ``cluster``.

    An unfinished scaling without a fault says nothing yet: the fault before it may come again.
    """
    from kitwai.core.decide.notices import of_scalings

    newest, *earlier = [
        (_faults(row), _is_settled(row)) for row in store.newest_scalings(cluster, _LOOK_BACK)
    ] or [([], False)]
    if not any(newest):
        return []
    before = next((faults for faults, settled in earlier if faults or settled), None)
    return of_scalings(cluster, now, newest[0], before)


def _faults(row: ScalingRow) -> list[str]:
    faults = (row.body or {}).get("failed")
    return [str(fault) for fault in faults] if isinstance(faults, list | tuple) else []


def _is_settled(row: ScalingRow) -> bool:
    return bool((row.body or {}).get("settled"))
