"""What the three operators share: the cluster, a run's params, and one clear error.

Imports that cost time stand inside the functions: Airflow imports an operator's module in every
process that parses the DAG, and each task pays for what its own step needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from kitwai.errors import KitwaiError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.store import Store


class ClusterOperator(BaseOperator):
    """One part of a step on one cluster.

    :param cluster: connection id of the cluster. (templated)
    """

    template_fields: Sequence[str] = ("cluster",)
    ui_color = "#e8f1e4"

    def __init__(self, *, cluster: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster

    def execute(self, context: Context) -> dict[str, Any]:
        """Skip clusters this run is not for; show expected errors as their one sentence."""
        params: dict[str, Any] = dict(context.get("params") or {})
        wanted([self.cluster], params)
        # No retry: the next step looks at the cluster afresh, a retry of this one would be older.
        try:
            return self.step(self.hook(params))
        except KitwaiError as error:
            self.log.error("%s", error)
            raise AirflowFailException(str(error)) from error

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Do this part of the step; returns the small JSON that goes to the next task."""
        raise NotImplementedError

    def hook(self, params: dict[str, Any]) -> SparkClusterHook:
        """The cluster under this run's params."""
        return hook_of(self.cluster, params)

    def store(self) -> Store:
        """The store of this Airflow."""
        return open_store()


def wanted(clusters: Sequence[str], params: dict[str, Any]) -> list[str]:
    """The part of ``clusters`` that this run is for.

    :raises AirflowSkipException: it is for none of them.
    """
    asked = params.get("clusters")
    chosen = [cluster for cluster in clusters if asked is None or cluster in asked]
    if not chosen:
        raise AirflowSkipException(
            f"This run is for {', '.join(asked or ()) or 'no cluster'} only."
        )
    return chosen


def hook_of(cluster: str, params: dict[str, Any]) -> SparkClusterHook:
    """A cluster under a run's params N, T and mode (None: the connection's)."""
    from kitwai.hooks.spark_cluster import SparkClusterHook

    return SparkClusterHook(
        cluster, max_workers=params.get("N"), limit=params.get("T"), mode=params.get("mode")
    )


def open_store() -> Store:
    """The store of this Airflow."""
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    return Store(store_url())
