from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest

from kitwai.errors import InvalidInputError
from kitwai.learning.collect import collect
from kitwai.learning.experience import Labelled
from kitwai.learning.partition import Plan
from kitwai.learning.shards import nothing, read_shard, write_shard
from kitwai.sim.synthetic import synthetic_profiles

DAY = 86_400.0
PLAN = Plan(0.0, DAY, "N=2,4,T=300s,600s", effort=0.03, parts=2)


@pytest.fixture(scope="module")
def made():
    return collect(synthetic_profiles(3, 5), PLAN, 0)


def same(one: Labelled, other: Labelled) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in Labelled.__slots__
    )


def test_experience_is_of_the_parts_constraints_and_has_both_kinds(made):
    held, played = made
    assert len(held) >= 50
    assert len(played) >= 10
    # The first feature is N / 10, the fourth log2(T / 300 s).
    pairs = {(round(10 * n), round(300 * 2**t)) for n, t in held.global_[:, [0, 3]]}
    assert pairs == set(PLAN.chunks[0])
    assert 0.0 < held.missed[held.mask].mean() < 1.0
    assert np.allclose(held.weight.sum(axis=1), 1.0)


def test_collecting_again_gives_the_same_and_another_seed_another(made):
    profiles = synthetic_profiles(3, 5)
    again = collect(profiles, PLAN, 0)
    assert same(again[0], made[0])
    assert same(again[1], made[1])
    other = collect(profiles, Plan(0.0, DAY, PLAN.grid, seed=1, effort=0.03, parts=2), 0)
    assert not same(other[0], made[0])


def test_a_grid_of_one_worker_offers_no_choice_and_gives_no_states():
    plan = Plan(0.0, DAY, "N=1,T=300s", effort=0.02, parts=1)
    held, played = collect(synthetic_profiles(2, 5), plan, 0)
    assert len(held) == len(played) == 0


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
