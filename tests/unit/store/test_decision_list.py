"""The history of decisions as the store lists it."""

from __future__ import annotations

from builders import observation, settings
from kitwai.core.decide.cluster import decide
from kitwai.store.decision_list import DecisionFilter, all_decision_lines, decision_lines
from kitwai.store.store import Store


def test_the_whole_history_is_read_in_parts_of_one_size(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    ids = []
    for second in range(7):
        seen = observation(2, at=1000.0 + second)
        decision = decide(seen, settings())
        ids.append(store.add_decision(decision, store.add_observation(seen), settings()))
    parts = list(all_decision_lines(store.engine, DecisionFilter("test"), at_once=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [line.id for part in parts for line in part] == ids[::-1]
    first = decision_lines(store.engine, DecisionFilter("test"), limit=5)
    assert [line.id for line in first.items] == ids[:1:-1]
    rest = decision_lines(store.engine, DecisionFilter("test"), limit=5, before=first.next)
    assert ([line.id for line in rest.items], rest.next) == (ids[1::-1], None)
