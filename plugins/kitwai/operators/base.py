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
        asked = params.get("clusters")
        if asked is not None and self.cluster not in asked:
            raise AirflowSkipException(f"This run is for {', '.join(asked) or 'no cluster'} only.")
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
        """The cluster under this run's params N, T and mode (None: the connection's)."""
        from kitwai.hooks.spark_cluster import SparkClusterHook

        return SparkClusterHook(
            self.cluster,
            max_workers=params.get("N"),
            limit=params.get("T"),
            mode=params.get("mode"),
        )

    def store(self) -> Store:
        """The store of this Airflow."""
        return open_store()


def open_store() -> Store:
    """The store of this Airflow."""
    from kitwai.config import store_url
    from kitwai.store.store import Store

    return Store(store_url())
