"""`registry.manifest`: what the manifest and the weights of a version must hold."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from kitwai.errors import CheckpointError
from kitwai.registry.versions import (
    load_policy,
    verify,
    versions,
)
from saved_versions import (
    SHAPES,
    TRUSTED,
    WIDTH,
    archive,
    changed,
    filled,
    manifest,
    move,
    save,
)


def of_no_width() -> bytes:
    """A network whose hidden layers are empty: all shapes fit."""
    shapes = {name: tuple(0 if n == WIDTH else n for n in shape) for name, shape in SHAPES.items()}
    return archive(**{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3, dtype=np.float32))
    return buffer.getvalue()


@pytest.fixture
def root(tmp_path):
    for version in ("v1", "v2", "v3"):
        save(tmp_path / "models", version)
    move(tmp_path / "models", "v1")
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("prices", "fault"),
    [
        (None, "no prices"),
        ([10.0], "no prices"),
        ({"0.01": "much"}, "no prices"),
        ({"0.01": [1.0]}, "no prices"),
        ({"0.01": 10**400}, "no prices"),
        ({"often": 1.0}, "no prices"),
        ({}, "not finite and positive"),
        ({"0.01": 0.0}, "not finite and positive"),
        ({"0.01": 7.0, "0.5": -1.0}, "not finite and positive"),
        ({"0.01": math.nan}, "not finite and positive"),
        ({"0.01": math.inf}, "not finite and positive"),
        ({"0": 1.0}, "not finite and positive"),
        ({"1": 1.0}, "not finite and positive"),
        ({"nan": 1.0}, "not finite and positive"),
    ],
)
def test_prices_that_are_none_are_refused(root, prices, fault):
    changed(lambda m: m.update(prices=prices))(root / "v2")
    for use in (load_policy, verify, move):
        with pytest.raises(CheckpointError, match=rf"v2/manifest\.json .*{fault}"):
            use(root, "v2")


@pytest.mark.parametrize(
    "trusted",
    [
        None,
        True,
        ["informed", "uninformed"],
        {},
        {"informed": True},
        {**TRUSTED, "always": True},
        {**TRUSTED, "informed": 1},
        {**TRUSTED, "informed": "yes"},
        {**TRUSTED, "informed": None},
    ],
)
def test_a_manifest_must_say_where_the_network_is_trusted(root, trusted):
    changed(lambda m: m.update(trusted=trusted))(root / "v2")
    for use in (load_policy, verify, move):
        with pytest.raises(CheckpointError, match=r"v2/manifest\.json .* network is trusted"):
            use(root, "v2")


def test_a_manifest_without_prices_or_trust_is_refused(root):
    for name, fault in (("prices", "no prices"), ("trusted", "is trusted")):
        about = manifest()
        del about[name]
        with pytest.raises(CheckpointError, match=fault):
            save(root, "v4", about=about)
    assert versions(root) == ["v1", "v2", "v3"]


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        (archive(context_bias=np.array([object()] * WIDTH)), "plain numbers"),
        (b"no archive", "plain numbers"),
        (b"", "plain numbers"),
        (npy(), "plain numbers"),
        (archive()[:-200], "plain numbers"),
        *((filled(name, np.nan), "not finite") for name in SHAPES),
        (filled("output_bias", np.inf), "not finite"),
        # Finite, but not in the float32 of the policy.
        (filled("output_bias", 1e300, np.float64), "not finite"),
        (filled("output_bias", 0, np.complex64), "not finite"),
        (filled("output_bias", 0, np.int64), "not finite"),
        (filled("output_bias", "0", np.str_), "not finite"),
        *((archive(**{name: None}), "alone") for name in SHAPES),
        (archive(extra=np.zeros(1, dtype=np.float32)), "alone"),
        *((filled(name, 0, shape=(3, 5)), "do not fit together") for name in SHAPES),
        *((filled(name, 0, shape=()), "do not fit together") for name in SHAPES),
        (of_no_width(), "do not fit together"),
    ],
)
def test_weights_that_are_no_network_are_never_saved(tmp_path, weights, fault):
    with pytest.raises(CheckpointError, match=fault):
        save(tmp_path, "v1", weights)
    assert versions(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
