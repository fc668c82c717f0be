"""Retention, Prometheus text and its port, and the original's CSV."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import application, observation, settings, stage
from kitwai.cli.main import main
from kitwai.core.decide.cluster import decide
from kitwai.core.records.observation import DriverLog, HostMetrics, Part
from kitwai.errors import InvalidInputError, StoreError
from kitwai.metrics.original_csv import COLUMNS, Row, from_csv, rows, to_csv, to_observations
from kitwai.metrics.prometheus_text import prometheus_text
from kitwai.metrics.scrape import scrape_server
from kitwai.store.retention import prune
from kitwai.store.store import Store

LOG = DriverLog(
    lines=9,
    unparsed=1,
    features={"MemoryStore": 3, "Utils": 0},
    levels={"INFO": 8},
    action_bytes=1536.5,
    transformation_bytes=None,
    complete=True,
    offset=100,
    tail="x",
)
APP = replace(
    application(stage(tasks=40, complete=10, active=4), limit_s=300.0, name='say "hi"\\\n'), log=LOG
)
SEEN = replace(
    observation(2, APP),
    host=HostMetrics(cpu_user=0.25, net_in=1000.0),
    parts=(Part("master", age_s=0.1), Part("pool", error="It hangs.")),
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS", "test")
    return Store(url)


def step(store, at: float, cluster: str = "test", *, scaled: bool = False) -> tuple[int, int]:
    """One stored step at the moment ``at``."""
    seen = replace(SEEN, at=at, cluster=cluster)
    seen_id = store.add_observation(seen)
    made = replace(settings(), cluster=cluster)
    decision_id = store.add_decision(decide(seen, made), seen_id, made)
    if scaled:
        store.begin_scaling(cluster, 3, decision_id, now=at + 1)
    return seen_id, decision_id


# --- retention


def test_what_is_older_than_the_retention_goes(store):
    old = [step(store, at, scaled=True) for at in (10.0, 20.0, 30.0)]
    store.begin_scaling("test", 2, None, now=15.0)
    kept = [step(store, at, scaled=True) for at in (100.0, 110.0)]
    other = step(store, 10.0, "other")
    assert prune(store, "test", 50.0) == 3
    for seen_id, decision_id in old:
        with pytest.raises(StoreError, match="was it pruned"):
            store.observation(seen_id)
        with pytest.raises(StoreError, match="was it pruned"):
            store.decision(decision_id)
    for seen_id, decision_id in (*kept, other):
        assert store.decision(decision_id).observation_id == seen_id
        assert store.observation(seen_id).at >= 10.0
    assert [row.started_at for row in store.scalings("test")] == [101.0, 111.0]
    assert prune(store, "test", 50.0) == 0


def test_a_step_deletes_little_at_once_and_the_oldest_first(store):
    for at in range(10):
        step(store, float(at))
    for left in (7, 4, 2, 2):
        prune(store, "test", 8.0, at_once=3)
        assert [seen.at for seen in store.observations("test")] == [*range(10)][10 - left :]


class Hook:
    """A cluster that looks the same at every look; keeps what it was asked."""

    config, conn_id = None, "test"

    def __init__(self) -> None:
        self.asked = []

    def observe(self, past, **options):
        self.asked.append(options)
        return replace(SEEN, at=time.time(), past=past)


@pytest.mark.parametrize(("retention", "left"), [("1h", 2), ("0", 3)])
def test_a_step_forgets_and_reads_on_from_the_look_before(store, monkeypatch, retention, left):
    from kitwai.operators.observe import ObserveOperator

    monkeypatch.setenv("AIRFLOW__KITWAI__RETENTION", retention)
    now = time.time()
    step(store, now - 4000.0)
    step(store, now - 15.0)
    hook = Hook()
    made = ObserveOperator(task_id="observe", cluster="test").step(hook)
    (asked,) = hook.asked
    assert (asked["previous"].at, asked["logs"]) == (now - 15.0, True)
    assert (made["present"], made["missing"]) == (2, ["pool"])
    assert len(store.observations("test")) == left


# --- Prometheus


def samples(text: str) -> dict[str, float]:
    found = re.findall(r"^(kitwai_\w+\{.*\}) (\S+)$", text, re.MULTILINE)
    assert len(found) == len([line for line in text.splitlines() if not line.startswith("#")])
    return {name: float(value) for name, value in found}


def test_the_text_holds_what_is_known_and_no_zero_for_the_rest(store):
    seen_id, _ = step(store, 1000.0)
    assert store.observation(seen_id) == SEEN
    text = prometheus_text(store, ["test", "never seen"])
    found = samples(text)
    app = 'cluster="test",application="app-say \\"hi\\"\\\\\\n",name="say \\"hi\\"\\\\\\n"'
    assert found['kitwai_workers{cluster="test",state="serving"}'] == 2
    assert found['kitwai_source_up{cluster="test",source="pool"}'] == 0
    assert found['kitwai_cpu_share{cluster="test",mode="user"}'] == 0.25
    assert found[f"kitwai_application_limit_seconds{{{app}}}"] == 300
    assert found[f'kitwai_application_tasks{{{app},state="complete"}}'] == 10
    assert found[f'kitwai_driver_log_lines_total{{{app},logger="MemoryStore"}}'] == 3
    assert found[f'kitwai_driver_log_memory_bytes_total{{{app},use="action"}}'] == 1536.5
    target = decide(SEEN, settings()).target
    assert found['kitwai_target_workers{cluster="test",mode="auto"}'] == target
    assert not any("system" in name or "memory_share" in name for name in found)
    assert not any("transformation" in name or "never seen" in name for name in found)
    # Every family is named once, before its samples.
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


def test_a_cluster_that_gave_no_answer_has_no_counts(store):
    store.add_observation(replace(SEEN, workers=None, pool=None, applications=None, host=None))
    found = samples(prometheus_text(store, ["test"]))
    assert set(found) == {
        'kitwai_observation_timestamp_seconds{cluster="test"}',
        'kitwai_source_up{cluster="test",source="master"}',
        'kitwai_source_up{cluster="test",source="pool"}',
    }


def test_the_port_serves_the_page_and_nothing_else():
    pages = iter(["kitwai_x 1\n"])

    def text() -> str:
        try:
            return next(pages)
        except StopIteration:
            raise StoreError("The store is gone.") from None

    server = scrape_server("127.0.0.1", 0, text)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        answer = httpx.get(f"{url}/metrics", timeout=30)
        assert (answer.status_code, answer.text) == (200, "kitwai_x 1\n")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        for path, method, status in (
            ("/", "GET", 404),
            ("/metrics", "GET", 503),
            ("/metrics", "POST", 501),
        ):
            answer = httpx.request(method, f"{url}{path}", timeout=30)
            assert answer.status_code == status
            assert "store is gone" not in answer.text
        with pytest.raises(InvalidInputError, match="cannot be listened on"):
            scrape_server("127.0.0.1", server.server_port, text)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_command_prints_and_serves_only_when_told(store, capsys, monkeypatch):
    step(store, 1000.0)
    assert main(["metrics"]) == 0
    assert 'kitwai_applications{cluster="test"} 1' in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW__KITWAI__METRICS_PORT", "many")
    assert main(["metrics"]) == 1
    assert "metrics_port must be a port's number, not 'many'" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW__KITWAI__METRICS_PORT", "0")
    command = [sys.executable, "-m", "kitwai.cli.main", "metrics"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        try:
            url = next(line for line in serving.stderr if "Serving" in line).split()[1]
            assert "kitwai_target_workers" in httpx.get(url, timeout=60).text
        finally:
            serving.terminate()


# --- the original's CSV


def test_a_table_of_a_cluster():
    text = to_csv(rows([SEEN, replace(SEEN, host=None, applications=None)]))
    assert text == "id,execu,memT,memA,cpuU,cpuS,netI,netO\n1,30,,1536.5,25,,1000,\n"


def test_the_commands_export_and_import(store, tmp_path, capsys):
    step(store, time.time() - 30)
    step(store, time.time())
    out = tmp_path / "run.csv"
    assert main(["export", "--cluster", "test", "--out", str(out)]) == 0
    assert out.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert len(out.read_text().splitlines()) == 3
    original = tmp_path / "original.csv"
    original.write_text(
        "id, execu, memT, memA, cpuU, cpuS, netI, netO\n"
        "0, 12.5, 400000, 500000, 35.5, 4.5, 1000.5, 2000\n"
        "1, 27.5, 400000, 500000, 40, , 1000.5, 2000\n"
    )
    command = ["import", str(original), "--cluster", "past", "--start", "1000"]
    assert main(command) == 0
    first, second = store.observations("past")
    assert (first.at, first.applications[0].id) == (1012.5, "original")
    assert first.host == HostMetrics(0.355, 0.045, 1000.5, 2000.0)
    assert second.host.cpu_system is None
    log = first.applications[0].log
    assert (log.action_bytes, log.transformation_bytes) == (500000.0, 400000.0)
    assert main(["export", "--cluster", "past", "--since", "36500d", "--out", str(out)]) == 0
    assert from_csv(out.read_text(), "out") == from_csv(original.read_text(), "original")
    capsys.readouterr()
    assert main(["import", str(original), "--cluster", "test"]) == 1
    assert "a cluster that Kitwai scales" in capsys.readouterr().err
    assert main(["export", "--cluster", "nowhere", "--out", str(out)]) == 1
    assert "holds no application of cluster 'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "its first line must be id,execu"),
        ("id,execu\n", "its first line must be id,execu"),
        (",".join(COLUMNS) + "\n1,2,3\n", "t, line 2 is refused: it has 3 fields, not 8"),
        (",".join(COLUMNS) + "\n1,,3,4,5,6,7,8\n", "execu is empty"),
        (",".join(COLUMNS) + "\n1,2,3,4,5,6,7,many\n", "'many' is no number from 0 up"),
        (",".join(COLUMNS) + "\n1,2,3,4,5,6,-7,8\n", "'-7' is no number"),
        (",".join(COLUMNS) + "\n1,2,nan,4,5,6,7,8\n", "'nan' is no number"),
        (",".join(COLUMNS) + "\n1,2,3,4,150,6,7,8\n", "cpuU is more than 100 %"),
        (",".join(COLUMNS) + "\n1," + "9" * 200_000 + "\n", "line 2 is refused"),
    ],
)
def test_a_wrong_table_is_one_sentence(text, words):
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        from_csv(text, "t")


AMOUNTS = st.none() | st.floats(0, 1e15)
SHARES = st.none() | st.floats(0, 1)


@given(st.floats(0, 1e9), AMOUNTS, AMOUNTS, SHARES, SHARES, AMOUNTS, AMOUNTS)
def test_a_table_comes_back_as_it_went(execu, mem_t, mem_a, cpu_u, cpu_s, net_in, net_out):
    percent = (None if share is None else 100.0 * share for share in (cpu_u, cpu_s))
    row = Row(execu, mem_t, mem_a, *percent, net_in, net_out)
    assert from_csv(to_csv([row]), "t") == [row]
    (seen,) = to_observations([row], cluster="c", application="a", start=0.0)
    (again,) = rows([seen])
    assert (again.execu, again.memT, again.memA, again.netI) == (execu, mem_t, mem_a, net_in)
    for before, after in ((row.cpuU, again.cpuU), (row.cpuS, again.cpuS)):
        assert after == (None if before is None else pytest.approx(before))
