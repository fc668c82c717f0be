"""The second part of a step: observation -> champion -> guardrails -> decision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook


class DecideOperator(ClusterOperator):
    """Decides how many workers the cluster should have, and keeps why.

    :param cluster: connection id of the cluster. (templated)
    :param observation: what `ObserveOperator` returned. (templated)

    Returns ``{"decision_id", "present", "target", "mode", "reason"}``.
    """

    template_fields: Sequence[str] = ("cluster", "observation")
    ui_color = "#f7efd9"

    def __init__(self, *, observation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.observation = observation

    def step(self, hook: SparkClusterHook) -> dict[str, Any]:
        """Decide on the stored observation."""
        from kitwai.core.decide import decide
        from kitwai.settings import settings_in_force
        from kitwai.store.champion import load_champion

        store = self.store()
        settings = settings_in_force(hook, store, time.time())
        observation_id = int(self.observation["observation_id"])
        champion = load_champion()
        decision = decide(
            store.observation(observation_id),
            settings,
            champion.policy,
            now=time.time(),
            no_policy_reason=champion.why_not,
            history=champion.history(hook.history),
            history_sha256=hook.history_sha256,
        )
        if decision.fallback:
            self.log.error("The analytic policy stands in for the champion: %s", decision.fallback)
        self.log.info("%s", decision.reason)
        return {
            "decision_id": store.add_decision(decision, observation_id, settings),
            "present": decision.present,
            "target": decision.target,
            "mode": decision.mode.value,
            "reason": decision.reason[:500],
        }
