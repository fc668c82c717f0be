"""Airflow's way to one Spark standalone cluster: its connection, observation and worker pool."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from kitwai.config.connection import Asked, ClusterConfig, cluster_config
from kitwai.core.records.observation import Past
from kitwai.errors import KitwaiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitwai.core.forecast.past_runs import Record
    from kitwai.core.records.observation import Observation
    from kitwai.pools.base import WorkerPool
    from kitwai.registry.known_runs import OwnRuns


class SparkClusterHook(BaseHook):
    """One Spark standalone master with its workers.

    :param conn_id: connection of type ``spark_cluster``: host and port of the master's web UI,
        the rest as JSON in the extra.
    :param max_workers: N, ``limit``: T, ``mode``: asked for by a run instead of the connection's.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "spark_cluster_default"
    conn_type = "spark_cluster"
    hook_name = "Spark cluster (Kitwai)"

    def __init__(
        self,
        conn_id: str = default_conn_name,
        *,
        max_workers: int | None = None,
        limit: str | float | None = None,
        mode: str | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._asked: Asked = {"max_workers": max_workers, "limit": limit, "mode": mode}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Which fields of the connection form are shown, and under what name."""
        return {
            "hidden_fields": ["login"],
            "relabeling": {
                "host": "Spark master host",
                "port": "Web UI port",
                "schema": "Scheme",
                "password": "spark.authenticate.secret",
            },
            "placeholders": {
                "port": "8080",
                "extra": '{"max_workers": 10, "limit": "10min", "mode": "suggest"}',
            },
        }

    @cached_property
    def config(self) -> ClusterConfig:
        """What the connection says. :raises InvalidInputError: naming what is wrong in it."""
        connection = self.get_connection(self.conn_id)
        return cluster_config(
            self.conn_id,
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            extra=connection.extra_dejson,
            password=connection.password,
            **self._asked,
        )

    def get_conn(self) -> WorkerPool:
        """The pool that runs the cluster's workers."""
        return self.pool

    @cached_property
    def pool(self) -> WorkerPool:
        """The pool that runs the cluster's workers."""
        from kitwai.pools import make_pool

        return make_pool(self.config.pool)

    @property
    def history(self) -> Mapping[str, Sequence[Record]] | None:
        """Past runs by application, None where the connection names no file.

        :raises InvalidInputError: the file cannot be used.
        """
        return None if self._own_runs is None else self._own_runs.runs

    @property
    def history_sha256(self) -> str | None:
        """Tells the file of past runs from another; None where the connection names none."""
        return None if self._own_runs is None else self._own_runs.sha256

    @cached_property
    def _own_runs(self) -> OwnRuns | None:
        from kitwai.registry.known_runs import own_runs

        return own_runs(self.config.history)

    @property
    def params(self) -> dict[str, Any]:
        """What a run asks for itself, as the DAG's params name it."""
        names = {"max_workers": "N", "limit": "T", "mode": "mode"}
        return {names[name]: value for name, value in self._asked.items() if value is not None}

    @property
    def asked(self) -> frozenset[str]:
        """Names of what a run asks for itself, as `kitwai.core.records.overrides.NAMES` has
        them.
        """
        return frozenset(name for name, value in self._asked.items() if value is not None)

    def observe(
        self, past: Past | None = None, *, previous: Observation | None = None, logs: bool = False
    ) -> Observation:
        """What the cluster shows now. Sources that fail are named in it, never raised.

        :param previous: the look before this one, None if there was none.
        :param logs: read the drivers' logs as well, where the connection says where they are.
        """
        from kitwai.observe.look import Sources, observe
        from kitwai.observe.metrics import make_source

        config = self.config
        sources = Sources(
            metrics=make_source(config.metrics),
            metrics_master=config.metrics.master,
            driver_log=config.driver_log if logs else None,
        )
        return observe(
            self.conn_id,
            config.web_url,
            self.pool,
            past or Past(),
            sources=sources,
            previous=previous,
            timeout_s=config.timeout_s,
        )

    def test_connection(self) -> tuple[bool, str]:
        """For the connection form's test button."""
        try:
            seen = self.observe()
        except KitwaiError as error:
            return False, str(error)
        if seen.workers is None or seen.applications is None:
            return False, "; ".join(
                f"{part.name}: {part.error}" for part in seen.parts if part.error
            )
        count = len(seen.serving or ())
        return True, f"{count} workers, {len(seen.applications)} running applications."
