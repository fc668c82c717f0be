"""The champion as every decider gets it: the policy, or the reason why there is none."""

from __future__ import annotations

from kitwai.config import models_root
from kitwai.core.policy import Policy
from kitwai.errors import CheckpointError
from kitwai.store.registry import load_policy


def load_champion() -> tuple[Policy | None, str | None]:
    """The champion of the configured registry and None, or None and why it cannot be used."""
    try:
        return load_policy(models_root()), None
    except CheckpointError as error:
        return None, str(error)
