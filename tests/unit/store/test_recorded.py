"""What the store holds of a cluster over an interval."""

from __future__ import annotations

import dataclasses

import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.errors import InvalidInputError
from kitwai.store.recorded import interval_of
from kitwai.store.store import Store
from kitwai.store.training import Run, TrainingStore
from recorded_day import SETTINGS, profile


def test_too_long_an_interval_is_refused(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    for at in (0.0, 11 * 86400.0):
        seen = observation(1, at=at)
        store.add_decision(decide(seen, settings()), store.add_observation(seen), settings())
    with pytest.raises(InvalidInputError, match="At most 10 days"):
        interval_of(TrainingStore(store.engine), "test", 0.0, 1e9)


def test_an_endless_application_is_not_played(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    stream = dataclasses.replace(
        application(stage(tasks=100, complete=40), elapsed_s=10.0), endless=True
    )
    seen = observation(2, stream)
    store.add_decision(decide(seen, SETTINGS), store.add_observation(seen), SETTINGS)
    ended = Run(profile("sort", 1.0, stream.id), seen.at - 10.0, seen.at + 50.0)
    TrainingStore(store.engine).add_run("log", "1", ended)
    interval = interval_of(TrainingStore(store.engine), "test", 0.0, 2000.0)
    assert interval.ran == ()
    assert "no end and no limit" in interval.unknown[0]
