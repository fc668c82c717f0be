"""`core.decide.guardrails`: what each rule does to a target, and that a batch is no exception."""

from __future__ import annotations

import numpy as np
import pytest

from builders import settings
from kitwai.core.decide.guardrails import (
    ClusterPast,
    guard_applications,
    guard_cluster,
    guard_clusters,
    notes_of,
)
from kitwai.core.records.observation import Past

FINISH_S = (600.0, 320.0, 220.0, 180.0, 178.0)
"""Predicted finish at 1..5 workers."""


def guarded(target: int, *, present: int = 1, limit_s: float = 300.0, margin: float = 1.0):
    final, moves = guard_applications(
        np.array([target]),
        finish_s=np.array([FINISH_S]),
        present=np.array([present]),
        max_workers=np.array([len(FINISH_S)]),
        limit_s=np.array([limit_s]),
        margin=margin,
    )
    return int(final[0]), [note.name for note in notes_of(moves)]


@pytest.mark.parametrize(
    ("target", "changes", "expected", "names"),
    [
        pytest.param(3, {}, 3, [], id="the fewest in time pass"),
        pytest.param(2, {}, 3, ["predicted late"], id="too few are raised"),
        pytest.param(2, {"present": 4}, 3, ["scale-in below need"], id="a scale-in stops at need"),
        pytest.param(3, {"margin": 0.7}, 4, ["predicted late"], id="the margin counts"),
        pytest.param(1, {"limit_s": 100.0}, 5, ["limit out of reach"], id="out of reach"),
        pytest.param(1, {"limit_s": 179.0, "margin": 0.9}, 5, ["limit in danger"], id="in danger"),
        pytest.param(5, {}, 4, ["no gain"], id="a worker without gain is not added"),
        pytest.param(5, {"present": 5}, 5, [], id="a worker that is there may stay"),
    ],
)
def test_application_rules(target, changes, expected, names):
    assert guarded(target, **changes) == (expected, names)


def test_a_batch_of_applications_gets_what_each_would_get_alone():
    rng = np.random.default_rng(5)
    size = 200
    finish_s = np.sort(rng.uniform(50.0, 400.0, (size, 10)))[:, ::-1]
    most = rng.integers(1, 11, size)
    target = rng.integers(1, most + 1)
    present, limit_s = rng.integers(0, 12, size), rng.uniform(60.0, 400.0, size)

    def ask(rows):
        return guard_applications(
            target[rows],
            finish_s=finish_s[rows],
            present=present[rows],
            max_workers=most[rows],
            limit_s=limit_s[rows],
            margin=0.9,
        )

    together, moves = ask(np.arange(size))
    assert (together != target).any()
    for row in range(size):
        alone, own_moves = ask(np.array([row]))
        assert together[row] == alone[0]
        assert notes_of(moves, row) == notes_of(own_moves)


def test_a_batch_of_clusters_gets_what_each_would_get_alone():
    rng = np.random.default_rng(6)
    size, of = 200, settings(most=8, min_workers=2, flap_budget=4)
    target, present = rng.integers(0, 10, size), rng.integers(0, 10, size)
    since_out, since_in = rng.uniform(0.0, 60.0, (2, size))
    changes, urgent = rng.integers(0, 8, size), rng.random(size) < 0.3
    together, moves = guard_clusters(
        target,
        present=present,
        past=ClusterPast(since_out, since_in, np.zeros(size, dtype=bool), changes.astype(float)),
        max_workers=np.full(size, 8),
        settings=of,
        urgent=urgent,
    )
    assert (together != target).any()
    for row in range(size):
        past = Past(None, float(since_out[row]), float(since_in[row]), None, int(changes[row]))
        alone, notes = guard_cluster(
            int(target[row]),
            present=int(present[row]),
            past=past,
            settings=of,
            urgent=bool(urgent[row]),
        )
        assert (together[row], notes_of(moves, row)) == (alone, notes)
