"""The second part of a step: observation -> champion -> guardrails -> decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook


class DecideOperator(ClusterOperator):
    """Decides how many workers the cluster should have, and keeps why.

    :param cluster: connection id of the cluster. (templated)
    :param observation: what `ObserveOperator` returned. (templated)

    Returns ``{"decision_id", "present", "target", "mode", "reason"}``, and ``"notices"`` where
    people are to be told of something.
    """

    template_fields: Sequence[str] = ("cluster", "observation")
    ui_color = "#f7efd9"

    def __init__(self, *, observation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation = observation

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Decide on the stored observation."""
        from kitwai.actions.step import decide_cluster

        return decide_cluster(self.store(), hook, int(self.observation["observation_id"]), self.log)
