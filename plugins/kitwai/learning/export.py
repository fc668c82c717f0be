"""From a trained network to a version in the registry: weights, Keras model, manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.policy import PRIOR
from kitwai.core.state import FEATURE_NAMES, TARGETS
from kitwai.learning.network import weights_of
from kitwai.learning.train import DQNConfig, Trained
from kitwai.sim.episodes import LIMIT_GRID_S, WORKER_GRID
from kitwai.store.registry import MODEL, WEIGHTS, save_version, versions


def weights_bytes(trained: Trained) -> bytes:
    """`weights.npz`: the same weights give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **weights_of(trained.model))
    return buffer.getvalue()


def export(
    root: Path,
    trained: Trained,
    config: DQNConfig,
    *,
    command: str,
    data: dict[str, Any],
    metrics: dict[str, Any],
    prices: Mapping[float, float],
    trusted: Mapping[str, bool],
    parent: str | None = None,
) -> str:
    """Save a version named after the day and the weights; returns its name.

    :param command: what makes it again; ``data``: what it was trained and judged on;
        ``metrics``: tables of `kitwai.sim.judging`; ``prices``: of a missed limit, by stated miss
        probability; ``trusted``: see `kitwai.core.policy.NetworkPolicy`; ``parent``: the champion
        at that time.
    :raises CheckpointError: it cannot be saved.
    """
    weights = weights_bytes(trained)
    made = datetime.now(UTC)
    version = f"{made:%Y%m%d}-{hashlib.sha256(weights).hexdigest()[:8]}"
    if version in versions(root):
        return version

    def write(folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(weights)
        trained.model.save(folder / MODEL)

    manifest = {
        "format": 1,
        "parent": parent,
        "created": made.isoformat(timespec="seconds"),
        "command": command,
        "data": data,
        "data_interval": None,
        "grid": {"N": list(WORKER_GRID), "T_s": list(LIMIT_GRID_S)},
        "seed": config.seed,
        "training": {
            **dataclasses.asdict(config),
            "steps_done": trained.steps,
            "updates_done": trained.updates,
            "seconds": round(trained.seconds, 1),
        },
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "trusted": dict(trusted),
        "prices": {f"{miss:g}": price for miss, price in sorted(prices.items())},
        "network": {"hidden": config.hidden, "activation": "relu", "targets": TARGETS},
        "libraries": {
            name: importlib.metadata.version(name) for name in ("tensorflow-cpu", "keras", "numpy")
        },
        "metrics": metrics,
    }
    save_version(root, version, manifest, write)
    return version
