"""From a trained network to a version in the registry: weights, Keras model, runs, card, manifest.

TensorFlow is needed to make the first two; the rest is done without it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kitwai import __version__
from kitwai.core.policy.policy import PRIOR
from kitwai.core.policy.state import FEATURE_NAMES, TARGETS
from kitwai.errors import CheckpointError
from kitwai.learning.card import card
from kitwai.learning.network import weights_of
from kitwai.learning.selection import Selection
from kitwai.learning.train import DQNConfig, Trained
from kitwai.registry.versions import MODEL, RUNS, WEIGHTS, read_manifest, save_version, versions

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A trained network as bytes, and how its training went: ``losses`` of each round."""

    weights: bytes
    model: bytes
    losses: tuple[float, ...]
    steps: int
    updates: int
    seconds: float

    @classmethod
    def of(cls, trained: Trained, losses: Sequence[float]) -> Network:
        """What a training gave."""
        return cls(
            weights=weights_bytes(trained),
            model=model_bytes(trained),
            losses=tuple(round(float(loss), 6) for loss in losses),
            steps=trained.steps,
            updates=trained.updates,
            seconds=round(trained.seconds, 1),
        )


def weights_bytes(trained: Trained) -> bytes:
    """`weights.npz`: the same weights give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **weights_of(trained.model))
    return buffer.getvalue()


def model_bytes(trained: Trained) -> bytes:
    """`model.keras`: the same weights give the same bytes, since times and the addresses of objects
    in memory are taken out.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL
        trained.model.save(path)
        buffer = io.BytesIO()
        with zipfile.ZipFile(path) as saved, zipfile.ZipFile(buffer, "w") as made:
            for name in sorted(saved.namelist()):
                content = saved.read(name)
                if name == "metadata.json":
                    about = {**json.loads(content), "date_saved": "1980-01-01@00:00:00"}
                    content = json.dumps(about).encode()
                elif name == "config.json":
                    content = _renumbered(content)
                made.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def _renumbered(config: bytes) -> bytes:
    """Keras names objects that layers share by their addresses: here by their order."""
    order: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return found[1] + str(order.setdefault(found[2], len(order))).encode()

    return re.sub(rb'("shared_object_id": )([0-9]+)', number, config)


def export(
    root: Path,
    network: Network,
    config: DQNConfig,
    selection: Selection,
    *,
    day: str | None = None,
    identity: str = "",
    command: str,
    data: Mapping[str, Any],
    grid: Mapping[str, Sequence[float]],
    interval: Sequence[str | None] | None = None,
    table: Mapping[str, Any] | None = None,
    runs: str | None = None,
    parent: str | None = None,
) -> str:
    """Save a version named after its day and contents, with its card; returns its name. What is
    there already is left as it is.

    :param day: as ``20260131``, of the data; None: today.
    :param identity: what else tells it from others, besides weights and runs.
    :param command: what makes it again; ``data``: what it was trained and judged on; ``grid``: N
        and T_s of its constraints; ``interval``: of its data; ``table``: `kitwai.learning.card`;
        ``runs``: the text of its ``runs.json``; ``parent``: the version that it follows.
    :raises CheckpointError: it cannot be saved.
    """
    made = datetime.now(UTC)
    digest = hashlib.sha256(network.weights + (runs or "").encode() + identity.encode())
    version = f"{day or f'{made:%Y%m%d}'}-{digest.hexdigest()[:8]}"
    if version in versions(root):
        return version
    manifest = {
        "format": 1,
        "parent": parent,
        "created": made.isoformat(timespec="seconds"),
        "command": command,
        "code": __version__,
        "data": dict(data),
        "data_interval": None if interval is None else list(interval),
        "grid": {name: list(values) for name, values in grid.items()},
        "seed": config.seed,
        "training": {
            **dataclasses.asdict(config),
            "steps_done": network.steps,
            "updates_done": network.updates,
            "seconds": network.seconds,
        },
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "trusted": dict(selection.trusted),
        "trusted_reasons": dict(selection.reasons),
        "prices": {f"{miss:g}": price for miss, price in sorted(selection.prices.items())},
        "network": {"hidden": config.hidden, "activation": "relu", "targets": TARGETS},
        "libraries": {
            name: importlib.metadata.version(name) for name in ("tensorflow-cpu", "keras", "numpy")
        },
        "metrics": selection.metrics,
        "losses": list(network.losses),
        "table": dict(table) if table else None,
        "runs": {} if runs is None else _runs_of_each(runs),
    }
    files = {WEIGHTS: network.weights, MODEL: network.model}
    if runs is not None:
        files[RUNS] = runs.encode()
    files |= card({"version": version, **manifest}, _readable(root, parent))

    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    save_version(root, version, manifest, write)
    return version


def _readable(root: Path, version: str | None) -> dict[str, Any] | None:
    """Its manifest; None where this Kitwai cannot read it, as after an update: a parent is lineage,
    and no reason to lose what was trained.
    """
    try:
        return None if version is None else read_manifest(root, version)
    except CheckpointError:
        return None


def _runs_of_each(runs: str) -> dict[str, int]:
    return {name: len(records) for name, records in json.loads(runs)["families"].items()}
