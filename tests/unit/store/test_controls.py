"""What people set, in the store."""

from __future__ import annotations

import pytest

from kitwai.core.records.overrides import Control
from kitwai.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


PINS = [Control("pin", target, 1000.0 + target, "ada", until=2000.0) for target in (3, 4, 5)]


def test_newest_control_of_each_name_counts(store):
    limit = Control("limit", None, 1001.0, "bob", until=None)
    for control in (PINS[0], limit, PINS[1]):
        store.controls.add("test", control)
    store.controls.add("other", PINS[2])
    assert store.controls.newest("test") == [limit, PINS[1]]


def test_record_of_controls_is_read_page_by_page_newest_first(store):
    for control in PINS:
        store.controls.add("test", control)
    page = store.controls.record("test", limit=2)
    assert page.items == [PINS[2], PINS[1]]
    assert store.controls.record("test", limit=2, before=page.next).items == [PINS[0]]
