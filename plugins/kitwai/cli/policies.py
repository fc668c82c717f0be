"""Loads Kitwai's own policies for `kitwai evaluate` and `kitwai day`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.sim.policy_controller import PolicyController

CHAMPION = "champion"
AGENTS = (CHAMPION, "network", "forecast")
"""The checkpoint as it decides live; its network trusted everywhere; the forecast alone."""


def agent_controller(name: str, models: Path | None, version: str | None) -> PolicyController:
    """One of `AGENTS` as a controller of simulated episodes.

    :param models: the registry, None for the configured one; ``version``: None for its champion.
    :raises CheckpointError: it cannot be loaded.
    """
    from kitwai.core.policy.policy import TRUSTED, ForecastPolicy
    from kitwai.registry.versions import load_policy
    from kitwai.sim.policy_controller import PolicyController

    if name == "forecast":
        return PolicyController(ForecastPolicy())
    if models is None:
        from kitwai.config.options import models_root

        models = models_root()
    policy = load_policy(models, version)
    if name == "network":
        policy.trusted = dict(TRUSTED)
    return PolicyController(policy)
