"""The lease on a cluster: one holder at a time, and free when its holder is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from kitwai.errors import LeaseError
from kitwai.store.lease import StoreLease, under_way
from kitwai.store.store import Store


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'folder' / 'kitwai.db'}"


@pytest.fixture
def store(url):
    return Store(url)


def test_only_one_holds_the_lease(store):
    with StoreLease(store.engine, "test") as lease:
        lease.renew()
        with (
            pytest.raises(LeaseError, match=f"process {os.getpid()}"),
            StoreLease(store.engine, "test"),
        ):
            pass
        with StoreLease(store.engine, "other"):
            pass
        assert f"process {os.getpid()}" in under_way(store.engine, "test", time.time())
    assert under_way(store.engine, "test", time.time()) is None
    with StoreLease(store.engine, "test"):
        pass


def test_an_expired_lease_is_taken_and_its_holder_told(store):
    clock = [1000.0]
    first = StoreLease(store.engine, "test", ttl_s=60.0, clock=lambda: clock[0])
    second = StoreLease(store.engine, "test", ttl_s=60.0, clock=lambda: clock[0])
    with first:
        clock[0] += 61.0
        with second:
            with pytest.raises(LeaseError, match="was lost"):
                first.renew()
            second.renew()


def test_the_lease_of_a_killed_process_is_free_at_once(store, url):
    code = (
        "import sys, time\n"
        "from kitwai.store.lease import StoreLease\n"
        "from kitwai.store.store import Store\n"
        f"with StoreLease(Store({url!r}).engine, 'test'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LeaseError), StoreLease(store.engine, "test"):
            pass
        holder.kill()
    with StoreLease(store.engine, "test"):
        pass


def test_the_process_of_another_container_with_the_same_host_name_is_not_called_dead(
    store,
):
    clock = [1000.0]
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    theirs = StoreLease(store.engine, "test", clock=lambda: clock[0])
    # A living process there, whose number nobody has here.
    elsewhere = {"namespace": "pid:[1]", "pid": gone.pid}
    theirs._holder = json.dumps(json.loads(theirs._holder) | elsewhere)
    ours = StoreLease(store.engine, "test", clock=lambda: clock[0])
    with theirs:
        assert under_way(store.engine, "test", clock[0]) is not None
        with pytest.raises(LeaseError), ours:
            pass
        theirs.renew()
        clock[0] += 61.0
        with ours:
            pass


def test_two_that_come_at_the_same_moment(store):
    """Both read a free row; the swap lets one of them write."""
    with StoreLease(store.engine, "test"):
        pass
    one, two = (StoreLease(store.engine, "test") for _ in range(2))
    with store.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT holder, expires_at FROM kitwai_lease")).one()
    later = time.time() + 60
    assert one._swap(row.holder, row.expires_at, {"holder": one._holder, "expires_at": later})
    assert not two._swap(row.holder, row.expires_at, {"holder": two._holder, "expires_at": later})
