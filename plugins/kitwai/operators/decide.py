"""The second part of a step: observation -> champion -> guardrails -> decision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.core.decide import History
    from kitwai.core.decision import ClusterSettings
    from kitwai.core.observation import Observation
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.store import Store


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
        from kitwai.store.champion import load_champion

        settings = hook.config.settings
        store = self.store()
        observation_id = int(self.observation["observation_id"])
        champion, now = load_champion(), time.time()
        observation = store.observation(observation_id)
        decision = decide(
            observation,
            settings,
            champion.policy,
            now=now,
            no_policy_reason=champion.why_not,
            history=champion.history(hook.history),
        )
        if decision.fallback:
            self.log.error("The analytic policy stands in for the champion: %s", decision.fallback)
        self.log.info("%s", decision.reason)
        decision_id = store.add_decision(decision, observation_id, settings)
        self._shadows(store, observation, observation_id, settings, now, hook.history)
        return {
            "decision_id": decision_id,
            "present": decision.present,
            "target": decision.target,
            "mode": decision.mode.value,
            "reason": decision.reason[:500],
        }

    def _shadows(
        self,
        store: Store,
        observation: Observation,
        observation_id: int,
        settings: ClusterSettings,
        now: float,
        own: History | None,
    ) -> None:
        """Let the challengers decide too; nothing acts on it, and no fault of theirs counts."""
        from kitwai.config import models_root, shadows

        names = shadows()
        if not names:
            return
        from kitwai.shadow import decide_in_shadow

        for why in decide_in_shadow(
            store.engine,
            models_root(),
            names,
            observation,
            observation_id,
            settings,
            now=now,
            own=own,
        ):
            self.log.warning("%s", why)
