"""The first part of a step: look at the cluster and keep what was seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook


class ObserveOperator(ClusterOperator):
    """Reads master, drivers and their logs, metrics and pool of one cluster into the store.

    :param cluster: connection id of the cluster. (templated)

    Returns ``{"observation_id", "present", "applications", "missing"}``.
    """

    ui_color = "#e3edf7"

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Observe; a source that fails is named, and the observation is kept without it."""
        from kitwai.config import retention_seconds
        from kitwai.core.live import with_counts
        from kitwai.store.retention import prune

        _ = hook.config  # a wrong setting must fail here, before anything else is asked
        store = self.store()
        previous = store.newest_observation(self.cluster)
        past = store.past(self.cluster, time.time())
        observation = with_counts(hook.observe(past, previous=previous, logs=True), previous)
        observation_id = store.add_observation(observation)
        retention_s = retention_seconds()
        if retention_s is not None:
            prune(store, self.cluster, observation.at - retention_s)
        missing = [part.name for part in observation.parts if part.error]
        for part in observation.parts:
            if part.error:
                self.log.warning("No answer from %s: %s", part.name, part.error)
        applications = observation.applications
        self.log.info(
            "Cluster %s: %s workers, %s applications.",
            self.cluster,
            observation.present,
            None if applications is None else len(applications),
        )
        return {
            "observation_id": observation_id,
            "present": observation.present,
            "applications": None if applications is None else len(applications),
            "missing": missing,
        }
