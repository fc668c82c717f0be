"""Event logs of a folder in the store of the training DAG."""

from __future__ import annotations

import os

import pytest

from event_writer import job, two_jobs, write
from kitwai.errors import InvalidInputError
from kitwai.learning.ingest import ingest
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore


@pytest.fixture
def store(tmp_path) -> TrainingStore:
    return TrainingStore(Store(f"sqlite:///{tmp_path / 'kitwai.db'}").engine)


def test_a_log_is_read_once_and_again_when_it_changes(tmp_path, store):
    log = write(tmp_path / "logs" / "app-1", *two_jobs(), end=50_000)
    assert ingest(log.parent, store).read == 1
    (run,) = store.runs(0.0, 1e9)
    assert (run.profile.app, run.started_at, run.ended_at) == ("app-1", 1.0, 50.0)
    assert ingest(log.parent, store).read == 0
    write(log, *two_jobs(), end=60_000)
    os.utime(log, (2e9, 2e9))
    assert ingest(log.parent, store).read == 1
    assert [run.ended_at for run in store.runs(0.0, 1e9)] == [60.0]


def test_a_log_that_gives_no_profile_is_set_aside_with_its_reason(tmp_path, store):
    folder = tmp_path / "logs"
    begin, end = job(2, 13_500, 14_000, {4: []})
    failed = end | {"Job Result": {"Result": "JobFailed"}}
    write(folder / "app-failed", *two_jobs(), begin, failed)
    write(folder / "app-empty")
    made = ingest(folder, store)
    assert made.read == 0
    reasons = {source.rsplit("/", 1)[-1]: reason for source, reason in made.set_aside.items()}
    assert set(reasons) == {"app-failed", "app-empty"}
    assert reasons["app-failed"].startswith("The application's last job failed")
    assert store.reasons() == made.set_aside
    assert ingest(folder, store).set_aside == {}
    assert store.runs(0.0, 1e9) == []


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, store):
    with pytest.raises(InvalidInputError):
        ingest(tmp_path / "none", store)
