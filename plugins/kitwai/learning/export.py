"""From a trained network to a version in the registry: weights, Keras model, runs, card, manifest.

Only `Network.of` needs TensorFlow.
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
from kitwai.core.policy.policy import PRICES, PRIOR
from kitwai.core.policy.state import FEATURE_NAMES, TARGETS
from kitwai.errors import CheckpointError
from kitwai.learning.card import card
from kitwai.learning.network import weights_of
from kitwai.learning.selection import Selection
from kitwai.learning.train import Trained
from kitwai.learning.training_config import TrainingConfig
from kitwai.registry.versions import MODEL, RUNS, WEIGHTS, read_manifest, save_version, versions

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """A trained network as bytes, and how its training went, as `kitwai.learning.train.Trained`."""

    weights: bytes
    model: bytes
    losses: tuple[float, ...]
    steps: int
    updates: int
    seconds: float

    @classmethod
    def of(cls, trained: Trained) -> Network:
        """The network of a training. The same weights and figures give the same bytes."""
        return cls(
            weights=weights_bytes(trained),
            model=model_bytes(trained),
            losses=tuple(round(float(loss), 6) for loss in trained.losses),
            steps=trained.steps,
            updates=trained.updates,
            seconds=round(trained.seconds, 1),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a version comes from.

    ``command``: that makes it again; ``data``: on which it was trained and judged; ``grid``: N and
    T_s of its constraints; ``day``: of its data, as ``20260131``, None: today; ``identity``: tells
    the version from others besides weights and runs; ``interval``: of its data, as ISO 8601;
    ``parent``: the version that it follows.
    """

    command: str
    data: Mapping[str, Any]
    grid: Mapping[str, Sequence[float]]
    day: str | None = None
    identity: str = ""
    interval: Sequence[str | None] | None = None
    parent: str | None = None


def weights_bytes(trained: Trained) -> bytes:
    """`weights.npz`: the same weights give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **weights_of(trained.model))
    return buffer.getvalue()


def model_bytes(trained: Trained) -> bytes:
    """`model.keras`: the same weights give the same bytes, because times and the addresses of
    objects in memory are taken out.
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
    """Keras names objects that layers share by their addresses. Here their order names them."""
    order: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return match[1] + str(order.setdefault(match[2], len(order))).encode()

    return re.sub(rb'("shared_object_id": )([0-9]+)', number, config)


def export(
    root: Path,
    network: Network,
    config: TrainingConfig,
    selection: Selection,
    origin: Origin,
    *,
    table: Mapping[str, Any] | None = None,
    runs: str | None = None,
) -> str:
    """Save a version named after its day and contents, with its card; returns its name. A version
    of that name is left as it is.

    :param table: `kitwai.learning.card.grid_table`.
    :param runs: the text of the version's ``runs.json``.
    :raises CheckpointError: the version cannot be saved.
    """
    now = datetime.now(UTC)
    digest = hashlib.sha256(network.weights + (runs or "").encode() + origin.identity.encode())
    version = f"{origin.day or f'{now:%Y%m%d}'}-{digest.hexdigest()[:8]}"
    if version in versions(root):
        return version
    manifest = _manifest(network, config, selection, origin, now) | {
        "table": dict(table) if table else None,
        "runs": {} if runs is None else _runs_of_each(runs),
    }
    files = {WEIGHTS: network.weights, MODEL: network.model}
    if runs is not None:
        files[RUNS] = runs.encode()
    files |= card({"version": version, **manifest}, _readable(root, origin.parent))

    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    save_version(root, version, manifest, write)
    return version


def _manifest(
    network: Network,
    config: TrainingConfig,
    selection: Selection,
    origin: Origin,
    now: datetime,
) -> dict[str, Any]:
    """The manifest, but for table and runs."""
    return {
        "format": 1,
        "parent": origin.parent,
        "created": now.isoformat(timespec="seconds"),
        "command": origin.command,
        "code": __version__,
        "data": dict(origin.data),
        "data_interval": None if origin.interval is None else list(origin.interval),
        "grid": {name: list(values) for name, values in origin.grid.items()},
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
        "prices": {f"{miss:g}": price for miss, price in sorted(PRICES.items())},
        "network": {"hidden": config.hidden, "activation": "relu", "targets": TARGETS},
        "libraries": {
            name: importlib.metadata.version(name) for name in ("tensorflow-cpu", "keras", "numpy")
        },
        "metrics": selection.metrics,
        "losses": list(network.losses),
    }


def _readable(root: Path, version: str | None) -> dict[str, Any] | None:
    """The manifest of a version; None where this Kitwai cannot read it, as after an update.

    A parent is for the reader, and no reason to lose a trained network.
    """
    try:
        return None if version is None else read_manifest(root, version)
    except CheckpointError:
        return None


def _runs_of_each(runs: str) -> dict[str, int]:
    """How many past runs of each family the text of a ``runs.json`` holds."""
    return {name: len(records) for name, records in json.loads(runs)["families"].items()}
