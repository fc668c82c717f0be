"""What the timeline of a cluster shows: marks belong to changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import observation, settings
from kitwai.core.decide.cluster import decide
from kitwai.store.store import Store
from kitwai.store.timeline import Timelines

STEP_S = 15.0


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


def steps(store, *counts: tuple[int | None, int | None]) -> list[int]:
    """Decisions 15 s apart from second 15 on, each of (present, target); returns their ids."""
    ids = []
    for number, (present, target) in enumerate(counts, 1):
        seen = observation(present or 0, at=number * STEP_S)
        decision = replace(decide(seen, settings()), present=present, target=target)
        ids.append(store.add_decision(decision, store.add_observation(seen), settings()))
    return ids


def marked(store, since: float, until: float = 1e6) -> list[int]:
    span = Timelines(store.engine).span("test", since, until, 1000)
    return [mark.decision_id for mark in span.marks]


def test_a_lasting_difference_is_marked_once_wherever_the_time_begins(store):
    ids = steps(store, (2, 2), (2, 5), (2, 5), (3, 5), (3, 5), (3, 1), (2, 1))
    assert marked(store, 0.0) == [ids[1], ids[5]]
    for began in range(len(ids)):
        wanted = [id_ for id_ in (ids[1], ids[5]) if id_ >= ids[began]]
        assert marked(store, (began + 1) * STEP_S) == wanted, began
        assert marked(store, (began + 1) * STEP_S - 1.0) == wanted, began


def test_a_step_that_knew_too_little_begins_no_difference_anew(store):
    ids = steps(store, (2, 5), (None, None), (2, 5), (None, None), (2, 5), (2, 4))
    assert marked(store, 0.0) == [ids[0], ids[5]]
    assert marked(store, 3 * STEP_S) == [ids[5]]


def test_another_clusters_target_is_no_change_of_this_one(store):
    seen = observation(2, cluster="other", at=20.0)
    decision = replace(decide(seen, settings()), cluster="other", target=7)
    store.add_decision(decision, store.add_observation(seen), settings())
    ids = steps(store, (2, 5), (2, 5), (2, 5))
    assert marked(store, 0.0) == [ids[0]]
    assert marked(store, 2 * STEP_S) == []
