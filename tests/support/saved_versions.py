"""Versions of small networks, saved in a registry."""

from __future__ import annotations

import io
import json

import numpy as np

from kitwai.core.policy.policy import PRIOR
from kitwai.core.policy.state import FEATURE_NAMES, GLOBAL_FEATURES, TARGET_FEATURES
from kitwai.registry.versions import (
    present_champion,
    promote,
    save_version,
)

WIDTH = 8


def move(root, version):
    """Promote a version whatever the champion is."""
    promote(root, version, present_champion(root))


SHAPES = {
    "global_kernel": (len(GLOBAL_FEATURES), WIDTH),
    "global_bias": (WIDTH,),
    "target_kernel": (len(TARGET_FEATURES), WIDTH),
    "context_kernel": (WIDTH, WIDTH),
    "context_bias": (WIDTH,),
    "hidden_kernel": (WIDTH, WIDTH),
    "output_kernel": (WIDTH, 2),
    "output_bias": (2,),
}


PRICES = {0.01: 7.0, 0.2: 0.5}


TRUSTED = {"informed": True, "uninformed": False}


def archive(**changes) -> bytes:
    """A network's file; a change of None leaves an array out."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    arrays |= changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: one for name, one in arrays.items() if one is not None})
    return buffer.getvalue()


def filled(name, number, dtype=np.float32, shape=None) -> bytes:
    """The archive with one array of this number."""
    return archive(**{name: np.full(SHAPES[name] if shape is None else shape, number, dtype)})


def manifest(**changes):
    return {
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "prices": {f"{miss:g}": price for miss, price in PRICES.items()},
        "trusted": TRUSTED,
    } | changes


def save(root, version, weights=None, about=None):
    def write(folder):
        (folder / "weights.npz").write_bytes(archive() if weights is None else weights)
        (folder / "model.keras").write_bytes(b"for Keras")

    save_version(root, version, about or manifest(), write)


def changed(change):
    """Changes a version's manifest in place."""

    def spoil(version):
        path = version / "manifest.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return spoil
