from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest

from kitwai.errors import InvalidInputError
from kitwai.learning.experience import Labelled
from kitwai.learning.shards import nothing, read_shard, write_shard


def labelled(states: int, seed: int) -> Labelled:
    """So many states of random numbers."""
    rng = np.random.default_rng(seed)
    empty = (getattr(nothing(), name) for name in Labelled.__slots__)
    return Labelled(
        *(rng.random((states, *array.shape[1:])).round(1).astype(array.dtype) for array in empty)
    )


@pytest.fixture(scope="module")
def made() -> tuple[Labelled, Labelled]:
    return labelled(7, 0), labelled(3, 1)


def same(one: Labelled, other: Labelled) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in Labelled.__slots__
    )


def test_a_shard_comes_back_and_the_same_states_give_the_same_bytes(tmp_path, made):
    path = tmp_path / "shard.npz"
    sha256 = write_shard(path, *made, {"seed": [0, 1]})
    shard = read_shard(path)
    assert same(shard.held, made[0])
    assert same(shard.played, made[1])
    assert shard.fits
    assert shard.about["seed"] == [0, 1]
    assert shard.about["states"] == {"held": len(made[0]), "played": len(made[1])}
    assert write_shard(tmp_path / "again.npz", *made, {}) == sha256
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "again.json",
        "again.npz",
        "shard.json",
        "shard.npz",
    ]


def test_an_empty_shard_comes_back(tmp_path):
    write_shard(tmp_path / "shard.npz", nothing(), nothing(), {})
    shard = read_shard(tmp_path / "shard.npz")
    assert len(shard.held) == len(shard.played) == 0
    assert len(Labelled.join([shard.held, nothing()])) == 0


@pytest.mark.parametrize("name", ["features", "prior", "label"])
def test_a_shard_of_other_definitions_does_not_fit(tmp_path, made, name):
    path = tmp_path / "shard.npz"
    write_shard(path, *made, {})
    about = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(about | {name: "older"}))
    assert not read_shard(path).fits


def _objects(path):
    buffer = io.BytesIO()
    np.savez(buffer, held_global_=np.array([object()], dtype=object))
    path.write_bytes(buffer.getvalue())
    _sign(path)


def _sign(path):
    about = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(about))


def _noise(path):
    path.write_bytes(b"noise")
    _sign(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.with_suffix(".json").unlink(), "cannot be read"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "is no shard"),
        (lambda path: path.with_suffix(".json").write_text("[]"), "is no shard"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "not the one of its manifest"),
        (_objects, "is no shard"),
        (_noise, "is no shard"),
    ],
)
def test_a_spoilt_shard_is_refused_by_name(tmp_path, spoil, words):
    path = tmp_path / "shard.npz"
    write_shard(path, nothing(), nothing(), {})
    spoil(path)
    with pytest.raises(InvalidInputError, match=words) as caught:
        read_shard(path)
    assert "shard" in str(caught.value)
