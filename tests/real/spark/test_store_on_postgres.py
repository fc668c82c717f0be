"""The store on a real Postgres, under the steps of several schedulers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
import sqlalchemy as sa

from kitwai.store.lease import StoreLease
from kitwai.store.store import Store
from kitwai.store.tables import DecisionRow, ObservationRow, ScalingRow
from places import TESTS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SCRIPT = TESTS / "support" / "store_process.py"
CLUSTERS, ROUNDS, PROCESSES = 20, 2, 4


@pytest.fixture(scope="module")
def written(new_database):
    """The URL of an empty database that several processes open and write at once, and what they
    say that they wrote."""
    url = new_database("store")
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, url, str(CLUSTERS), str(ROUNDS), str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    said: Counter[str] = Counter()
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        said.update(json.loads(out))
    return Store(url), said


def rows(store, table):
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_no_row_is_lost(written):
    store, said = written
    assert said["steps"] == CLUSTERS * ROUNDS * PROCESSES
    assert said["scalings"] + said["busy"] == said["steps"]
    assert rows(store, ObservationRow) == rows(store, DecisionRow) == said["steps"]
    assert rows(store, ScalingRow) == said["scalings"]


def test_a_lease_is_one_holders_at_a_time_and_free_in_the_end(written):
    store, said = written
    scaled = 0
    for number in range(CLUSTERS):
        scalings = store.scalings(f"cluster_{number}")
        scaled += len(scalings)
        assert len({one.decision_id for one in scalings}) == len(scalings)
        for one, following in pairwise(scalings):
            assert one.ended_at <= following.started_at
        with StoreLease(store.engine, f"cluster_{number}"):
            pass
    assert scaled == said["scalings"] > 0


def test_processes_at_once_on_one_cluster_leave_it_to_one(new_database):
    """With one cluster all of them meet at the lease, and each is refused at least once."""
    url = new_database("contended")
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, url, "1", "60", str(seed)], stdout=subprocess.PIPE, text=True
        )
        for seed in range(PROCESSES)
    ]
    said: Counter[str] = Counter()
    for process in processes:
        said.update(json.loads(process.communicate(timeout=240)[0]))
        assert process.returncode == 0
    scalings = Store(url).scalings("cluster_0")
    assert len(scalings) == said["scalings"]
    assert said["busy"] > 0
    assert all(one.ended_at <= after.started_at for one, after in pairwise(scalings))
