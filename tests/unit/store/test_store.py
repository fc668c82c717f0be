from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.core.records.observation import Ran
from kitwai.errors import LeaseError, StoreError
from kitwai.store.lease import StoreLease, under_way
from kitwai.store.schema import HEAD, VERSION_TABLE
from kitwai.store.store import Store
from kitwai.store.tables import Base

ONE = application(stage(tasks=100, complete=40), elapsed_s=1 / 3, limit_s=200.0)
SEEN = with_counts(observation(2, replace(ONE, inputs={"size": 0.1})))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'folder' / 'kitwai.db'}"


@pytest.fixture
def store(url):
    return Store(url)


def test_records_come_back_to_the_last_bit(store):
    observation_id = store.add_observation(SEEN)
    decision = decide(SEEN, settings())
    stored = store.decision(store.add_decision(decision, observation_id, settings()))
    assert store.observation(observation_id) == SEEN
    assert SEEN.applications[0].stages[0].ran == (Ran(2, 40, 200_000.0),)
    assert stored.decision == decision
    assert stored.settings == settings()


def test_a_decision_can_be_made_again_from_the_store_alone(store):
    observation_id = store.add_observation(SEEN)
    decision_id = store.add_decision(decide(SEEN, settings()), observation_id, settings())
    stored = store.decision(decision_id)
    again = decide(store.observation(stored.observation_id), stored.settings)
    assert again == stored.decision


def test_the_newest_observation_of_a_cluster(store):
    assert store.newest_observation("test") is None
    store.add_observation(replace(SEEN, at=990.0))
    store.add_observation(SEEN)
    store.add_observation(replace(SEEN, at=980.0))
    store.add_observation(observation(1, cluster="other", at=2000.0))
    assert store.newest_observation("test") == SEEN
    assert [one.at for one in store.newest_observations("test", 2)] == [SEEN.at, 990.0]


def test_the_past_of_a_cluster(store):
    store.add_observation(observation(1, at=900.0))
    assert store.past("test", 930.0).idle_s == 30.0  # never busy: idle since first seen
    store.add_observation(observation(1, application(), at=950.0))
    store.add_observation(observation(1, at=960.0))
    grown = store.begin_scaling("test", 4, None, now=970.0)
    store.end_scaling(grown, started=3, removed=0, body={}, now=980.0)
    shrunk = store.begin_scaling("test", 2, None, now=981.0)
    store.end_scaling(shrunk, started=0, removed=2, body={}, now=990.0)
    store.begin_scaling("test", 9, None, now=995.0)  # its process died
    past = store.past("test", 1000.0)
    assert (past.idle_s, past.since_scale_out_s, past.since_scale_in_s) == (50.0, 20.0, 10.0)
    assert past.operation is None
    assert store.past("other", 1000.0).idle_s == 0.0


def test_what_a_killed_scaling_had_done_counts(store):
    killed = store.begin_scaling("test", 4, None, now=970.0)
    store.note_scaling(killed, started=2, removed=1)
    past = store.past("test", 1000.0)
    assert (past.since_scale_out_s, past.since_scale_in_s, past.changes_1h) == (30.0, 30.0, 3)


def test_a_missing_row_is_named(store):
    with pytest.raises(StoreError, match="no row 77"):
        store.observation(77)


def test_what_another_version_wrote_in_another_form_stops_nothing(store, caplog):
    first = store.add_observation(replace(SEEN, at=980.0))
    decided = [store.add_decision(decide(SEEN, settings()), first, settings()) for _ in range(2)]
    newest = store.add_observation(SEEN)
    with store.engine.begin() as connection:
        for table, row in (("kitwai_observation", newest), ("kitwai_decision", decided[1])):
            of = Base.metadata.tables[table]
            connection.execute(of.update().where(of.c.id == row).values(body={"form": "another"}))
    assert store.newest_observation("test") is None
    assert [one.at for one in store.newest_observations("test", 2)] == [980.0]
    assert [one.at for one in store.observations("test")] == [980.0]
    assert [one.id for one in store.newest_decisions("test", 2)] == decided[:1]
    assert [one.id for one in store.decisions("test")] == decided[:1]
    assert f"Row {newest} in kitwai_observation cannot be read" in caplog.text
    with pytest.raises(StoreError, match="written it in another form"):
        store.observation(newest)
    with pytest.raises(StoreError, match=f"Row {decided[1]} in kitwai_decision"):
        store.decision(decided[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url at all", "cannot be used"),
        ("sqlite:////proc/nowhere/kitwai.db", "cannot be used"),
        ("postgresql+nodriver://u:secret@h/db", "cannot be used"),
    ],
)
def test_an_unusable_database_is_one_sentence_without_the_password(url, words):
    with pytest.raises(StoreError, match=words) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_migrations_make_the_tables_of_this_code(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    import kitwai.store.migrations as migrations

    assert ScriptDirectory(migrations.__path__[0]).get_current_head() == HEAD


def test_every_foreign_key_has_an_index(store):
    inspector = sa.inspect(store.engine)
    keys = {
        (table, key["constrained_columns"][0])
        for table in inspector.get_table_names()
        for key in inspector.get_foreign_keys(table)
    }
    indexed = {
        (table, index["column_names"][0])
        for table in inspector.get_table_names()
        for index in inspector.get_indexes(table)
    }
    assert ("kitwai_shadow", "observation_id") in keys
    assert keys <= indexed


def test_a_deletion_finds_what_refers_to_it_by_an_index(store):
    delete = "DELETE FROM kitwai_scaling WHERE decision_id IN (1, 2)"
    with store.engine.connect() as connection:
        (plan,) = connection.execute(sa.text(f"EXPLAIN QUERY PLAN {delete}"))
    assert "ix_kitwai_scaling_decision_id" in plan.detail


def test_a_newer_store_is_refused(store, url):
    with store.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608
    with pytest.raises(StoreError, match="newer than this Kitwai"):
        Store(url)


def test_many_processes_may_open_a_new_store_at_once(url):
    code = f"from kitwai.store.store import Store; Store({url!r}).past('test', 0.0)"
    openers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [opener.wait(60) for opener in openers] == [0] * 4


def test_only_one_holds_the_lease(store):
    with store.lease("test") as lease:
        lease.renew()
        with pytest.raises(LeaseError, match=f"process {os.getpid()}"), store.lease("test"):
            pass
        with store.lease("other"):
            pass
        assert f"process {os.getpid()}" in under_way(store.engine, "test", time.time())
    assert under_way(store.engine, "test", time.time()) is None
    with store.lease("test"):
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
        "from kitwai.store.store import Store\n"
        f"with Store({url!r}).lease('test'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LeaseError), store.lease("test"):
            pass
        holder.kill()
    with store.lease("test"):
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
    with store.lease("test"):
        pass
    one, two = (StoreLease(store.engine, "test") for _ in range(2))
    with store.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT holder, expires_at FROM kitwai_lease")).one()
    later = time.time() + 60
    assert one._swap(row.holder, row.expires_at, {"holder": one._holder, "expires_at": later})
    assert not two._swap(row.holder, row.expires_at, {"holder": two._holder, "expires_at": later})
