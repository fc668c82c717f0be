"""The second part of a step: observation -> champion -> guardrails -> decision."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitwai.operators.base import ClusterOperator

if TYPE_CHECKING:
    from kitwai.core.decide import History
    from kitwai.core.decision import ClusterSettings, Decision
    from kitwai.core.observation import Observation
    from kitwai.hooks.spark_cluster import SparkClusterHook
    from kitwai.store.store import Store

_LOOK_BACK = 20
_MOST_NOTICES = 10


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
        from kitwai.core.decide import decide
        from kitwai.settings import settings_in_force
        from kitwai.store.champion import load_champion

        store = self.store()
        now = time.time()
        settings = settings_in_force(hook, store, now)
        observation_id = int(self.observation["observation_id"])
        champion = load_champion()
        observation = store.observation(observation_id)
        decision = decide(
            observation,
            settings,
            champion.policy,
            now=now,
            no_policy_reason=champion.why_not,
            history=champion.history(hook.history),
            history_sha256=hook.history_sha256,
        )
        if decision.fallback:
            self.log.error("The analytic policy stands in for the champion: %s", decision.fallback)
        self.log.info("%s", decision.reason)
        decision_id = store.add_decision(decision, observation_id, settings)
        notices = _notices(store, decision_id, decision, observation)
        self._shadows(store, observation, observation_id, settings, now, hook.history)
        return {
            "decision_id": decision_id,
            "present": decision.present,
            "target": decision.target,
            "mode": decision.mode.value,
            "reason": decision.reason[:500],
            **({"notices": notices} if notices else {}),
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


def _notices(
    store: Store, decision_id: int, decision: Decision, observation: Observation
) -> list[dict[str, Any]]:
    """What people are to be told, for the next task to send: small, as it goes through XCom."""
    from kitwai.core.notices import of_decision

    earlier = store.newest_decisions(decision.cluster, before=decision_id)
    looked = store.observation(earlier[0].observation_id) if earlier else None
    if earlier and earlier[0].decision.held:
        earlier = store.newest_decisions(decision.cluster, _LOOK_BACK, before=decision_id)
    found = of_decision(decision, observation, [one.decision for one in earlier], looked)
    return [{**dataclasses.asdict(one), "text": one.text[:300]} for one in found[:_MOST_NOTICES]]
