"""Kitwai's own policies for `kitwai evaluate` and `kitwai day`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.sim.agent import PolicyController

CHAMPION = "champion"
AGENTS = (CHAMPION, "network", "analytic")
"""The checkpoint as it decides; its network trusted everywhere; the forecast alone."""


def agent_controller(name: str, models: Path | None, version: str | None) -> PolicyController:
    """One of `AGENTS` as a controller of simulated episodes.

    :param models: the registry, None for the configured one; ``version``: None for its champion.
    :raises CheckpointError: it cannot be loaded.
    """
    from kitwai.core.policy import TRUSTED, AnalyticPolicy
    from kitwai.sim.agent import PolicyController
    from kitwai.store.registry import load_policy

    if name == "analytic":
        return PolicyController(AnalyticPolicy())
    if models is None:
        from kitwai.config import models_root

        models = models_root()
    policy = load_policy(models, version)
    if name == "network":
        policy.trusted = dict(TRUSTED)
    return PolicyController(policy)
