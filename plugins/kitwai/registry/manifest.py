"""What the files of a version must hold: its manifest, and the arrays of its network.

Nothing here reads a file. Every fault raises `CheckpointError` with one sentence that names the
path.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.policy.policy import ARRAYS, KNOWLEDGE, PRIOR, array_shapes
from kitwai.core.policy.state import FEATURE_NAMES
from kitwai.errors import CheckpointError

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def parse_manifest(content: bytes, path: Path, version: str, *, weights: str) -> dict[str, Any]:
    """The manifest of a version, its form checked.

    :param path: of the manifest, for the message; ``weights``: the file that it must list.
    :raises CheckpointError: it is no manifest, or of another version, other features or another
        prediction.
    """
    try:
        manifest = json.loads(content)
        files, features = manifest["files"], [entry["name"] for entry in manifest["features"]]
        named = manifest["version"]
        well_formed = weights in files and all(
            Path(name).name == name and name.isprintable() and isinstance(hash_, str)
            for name, hash_ in files.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not the manifest of a checkpoint.") from error
    if not well_formed:
        raise CheckpointError(f"{path} does not list the SHA-256 of {weights}.")
    if named != version:
        raise CheckpointError(f"{path} belongs to version {named!r}, not {version!r}.")
    if features != list(FEATURE_NAMES):
        raise CheckpointError(
            f"{path} was trained on other features than this version of Kitwai computes."
        )
    if manifest.get("prior") != PRIOR:
        raise CheckpointError(
            f"{path} was trained to correct another prediction than this version of Kitwai makes."
        )
    return dict(manifest)


def parse_prices(manifest: dict[str, Any], path: Path) -> dict[float, float]:
    """The price of a missed limit, by stated miss probability.

    :raises CheckpointError: there are none, or a price is not finite and positive.
    """
    try:
        prices = {float(miss): float(price) for miss, price in manifest["prices"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} holds no prices of a missed limit.") from error
    if not prices or not all(0 < m < 1 and 0 < p < math.inf for m, p in prices.items()):
        raise CheckpointError(f"{path} holds prices that are not finite and positive.")
    return prices


def parse_trusted(manifest: dict[str, Any], path: Path) -> dict[str, bool]:
    """By `KNOWLEDGE`, whether the network was found better than the forecast alone.

    :raises CheckpointError: the manifest does not say so.
    """
    trusted = manifest.get("trusted")
    if not isinstance(trusted, dict) or set(trusted) != set(KNOWLEDGE):
        raise CheckpointError(f"{path} does not say where the network is trusted.")
    if not all(isinstance(value, bool) for value in trusted.values()):
        raise CheckpointError(f"{path} does not say where the network is trusted.")
    return trusted


def parse_weights(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """The network's arrays by name (`ARRAYS`): features in, two outputs a target.

    :raises CheckpointError: an array is missing, not finite, or of another shape.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (ValueError, TypeError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is not a NumPy archive of plain numbers.") from error
    if set(weights) != set(ARRAYS):
        raise CheckpointError(f"{path} does not hold {', '.join(ARRAYS)} alone.")
    for array in weights.values():
        # The policy computes in float32, where a larger number is infinite.
        if array.dtype.kind != "f" or not (np.abs(array) <= _FLOAT32_MAX).all():
            raise CheckpointError(f"{path} holds weights that are not finite numbers.")
    width = weights["hidden_kernel"].shape[-1] if weights["hidden_kernel"].ndim else 0
    if width == 0 or any(
        weights[name].shape != shape for name, shape in array_shapes(width).items()
    ):
        raise CheckpointError(f"{path} holds layers whose shapes do not fit together.")
    return weights
