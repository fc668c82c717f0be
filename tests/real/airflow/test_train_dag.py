"""The training DAG under a real scheduler, on event logs of real Spark runs at made-up dates."""

from __future__ import annotations

import gzip
import json
import os
import signal
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from kitwai.registry.versions import champion, read_manifest, verify, versions
from kitwai.store.training import TrainingStore
from kitwai_lab.bench.event_logs import RUNS, shifted
from places import REPOSITORY

DAG = "kitwai_train"
CLUSTER = "test_cluster"
SHIPPED = champion(REPOSITORY / "include" / "models")
FIRST = date(2026, 1, 5)
LOGS_A_DAY = (2, 0, 4)
"""The second day has no applications."""

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]


def day(number):
    return FIRST + timedelta(days=number)


def wait(setup, run):
    return setup.airflow.wait_for_run(DAG, run["dag_run_id"], timeout_s=300)


def states(setup, run, dag_id=DAG):
    found = setup.airflow.task_instances(dag_id, run["dag_run_id"])
    return {(one["task_id"], one["map_index"]): one["state"] for one in found}


def version_of(setup, number):
    """The version that a day gave."""
    (found,) = [v for v in versions(setup.models) if v.startswith(f"{day(number):%Y%m%d}-")]
    return found


def weights(setup):
    return {
        version: read_manifest(setup.models, version)["files"]["weights.npz"]
        for version in versions(setup.models)
    }


@pytest.fixture(scope="module")
def event_logs(setup, repository, tmp_path_factory):
    """Six real runs of different sizes, spread over three days; and something that is no log.

    Recorded once: on what their tasks took depends what the gate says.
    """
    folder = repository / "tests" / "data" / "event_logs"
    real = iter(folder / f"{shape}-{size}.gz" for shape, size in RUNS)
    for number, count in enumerate(LOGS_A_DAY):
        for at in range(count):
            begin = datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=at)
            app = f"app-{begin:%Y%m%d%H}-{at:04d}"
            run = tmp_path_factory.mktemp("real") / app
            run.write_bytes(gzip.decompress(next(real).read_bytes()))
            shifted(run, setup.event_logs / app, begin, app)
    (setup.event_logs / "app-broken").write_text("no event log\n")


@pytest.fixture(scope="module")
def backfilled(setup, event_logs):
    runs = setup.airflow.backfill(DAG, day(0), day(2))
    return [wait(setup, run) for run in runs]


def test_a_backfill_gives_a_version_a_day_with_applications(setup, backfilled):
    assert [run["state"] for run in backfilled] == ["success"] * 3
    assert versions(setup.models) == [version_of(setup, 0), version_of(setup, 2), SHIPPED]
    first, third = (verify(setup.models, version_of(setup, number)) for number in (0, 2))
    assert first["parent"] == SHIPPED
    assert third["parent"] == first["version"]
    assert third["data_interval"] == ["2026-01-07T00:00:00+00:00", "2026-01-08T00:00:00+00:00"]
    assert sum(first["runs"].values()) == 2
    assert sum(third["runs"].values()) == 6
    assert set(third["runs"]) == {"kitwai-wide", "kitwai-skewed"}


def test_a_day_without_applications_succeeds_and_keeps_the_champion(setup, backfilled):
    found = states(setup, backfilled[1])
    assert found.pop(("ingest", -1)) == "success"
    assert set(found.values()) == {"skipped"}
    assert backfilled[1]["note"] is None


def test_the_gate_says_why_in_the_note_and_in_the_store(setup, backfilled):
    store = TrainingStore(setup.store.engine)
    # Of two applications nothing is certain enough to be called better.
    (refused,) = store.verdicts(f"{DAG}/{backfilled[0]['dag_run_id']}")
    assert (refused.verdict, refused.version) == ("refused", version_of(setup, 0))
    assert refused.body["comparisons"][1]["applications"] == 2
    assert backfilled[0]["note"] == f"Kitwai: {refused.version} refused. {refused.reason}"
    told = f"gate refused once in promote: {refused.version}"
    assert setup.notices.read_text().splitlines().count(told) == 1
    assert states(setup, backfilled[0])["promote", -1] == "skipped"

    (promoted,) = store.verdicts(f"{DAG}/{backfilled[2]['dag_run_id']}")
    assert (promoted.verdict, promoted.champion) == ("promoted", SHIPPED), promoted.reason
    assert backfilled[2]["note"].startswith(f"Kitwai: {promoted.version} promoted. ")
    assert champion(setup.models) == promoted.version == version_of(setup, 2)
    assert promoted.body["comparisons"][1]["applications"] >= 5


def test_an_unreadable_log_is_set_aside_with_its_reason(setup, backfilled):
    reasons = TrainingStore(setup.store.engine).reasons()
    (source,) = reasons
    assert source.endswith("app-broken")
    # Whichever run came first has read it: the day's own may have, which unpausing starts.
    ids = [run["dag_run_id"] for run in setup.airflow.runs(DAG) if run["state"] == "success"]
    assert any(reasons[source] in setup.airflow.task_log(DAG, one, "ingest") for one in ids)


def test_a_new_champion_is_announced_and_used_from_the_next_step(setup, backfilled):
    events = setup.airflow.api.get("/api/v2/assets/events").json()["asset_events"]
    (event,) = [one for one in events if one["source_dag_id"] == DAG]
    assert event["extra"]["version"] == version_of(setup, 2)
    assert event["source_run_id"] == backfilled[2]["dag_run_id"]
    _, state = setup.run(clusters=[CLUSTER])
    assert state == "success"
    assert setup.store.decisions(CLUSTER)[-1].decision.checkpoint == version_of(setup, 2)


def test_tensorflow_is_imported_by_the_train_task_alone(setup, backfilled):
    loaded: dict[str, set[str]] = {}
    for path in setup.modules.glob(f"{DAG}-*.json"):
        record = json.loads(path.read_text())
        loaded.setdefault(record["task_id"], set()).update(record["loaded"])
    assert set(loaded) == {"ingest", "collect", "train", "evaluate", "promote"}
    assert {task for task, modules in loaded.items() if "tensorflow" in modules} == {"train"}
    assert {task for task, modules in loaded.items() if "matplotlib" in modules} <= {
        "evaluate",
        "train",
    }


def test_days_trained_again_side_by_side_one_killed_give_the_same_versions(setup, backfilled):
    before = weights(setup)
    runs = setup.airflow.backfill(DAG, day(0), day(2), again=True, at_once=3)
    killed = kill_once(setup, runs[2], "train")
    ended = [wait(setup, run) for run in runs]
    assert [run["state"] for run in ended] == ["success"] * 3
    tries = {
        one["task_id"]: one["try_number"]
        for one in setup.airflow.task_instances(DAG, runs[2]["dag_run_id"])
    }
    assert killed
    assert tries["train"] > 1
    assert weights(setup) == before
    assert champion(setup.models) == version_of(setup, 2)
    verdicts = TrainingStore(setup.store.engine).verdicts(f"{DAG}/{runs[0]['dag_run_id']}")
    assert "has learnt from data up to 2026-01-08" in verdicts[-1].reason
    assert ended[2]["note"].endswith("It is the champion already.")


def kill_once(setup, run, task_id):
    """SIGKILL for the process of a task, as soon as it runs; returns its id."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        for one in setup.airflow.task_instances(DAG, run["dag_run_id"]):
            if one["task_id"] == task_id and one["state"] == "running" and one["pid"]:
                time.sleep(1.0)
                os.kill(one["pid"], signal.SIGKILL)
                return one["pid"]
        time.sleep(0.1)
    raise AssertionError(f"{task_id} did not run")


def test_the_champion_is_changed_by_hand(setup, backfilled):
    new = version_of(setup, 2)
    run_id, state = setup.run("kitwai_models", action="rollback")
    assert state == "success"
    assert champion(setup.models) == SHIPPED
    (verdict,) = TrainingStore(setup.store.engine).verdicts(f"kitwai_models/{run_id}")
    assert (verdict.verdict, verdict.version, verdict.champion) == ("rolled back", SHIPPED, new)
    _, state = setup.run("kitwai_models", action="promote", version=new)
    assert state == "success"
    assert champion(setup.models) == new
    for params, words in (
        ({"action": "promote"}, "Name a version to promote"),
        ({"action": "promote", "version": "../models"}, "is not the name of a version"),
        ({"action": "promote", "version": "20260101-00000000"}, "is missing"),
    ):
        run_id, state = setup.run("kitwai_models", **params)
        assert state == "failed"
        assert words in setup.airflow.task_log("kitwai_models", run_id, "change")
    assert champion(setup.models) == new


@pytest.mark.parametrize(
    ("params", "words"),
    [({"effort": 0}, "less than or equal"), ({"seed": -1}, "less than the minimum")],
)
def test_wrong_params_are_refused_when_triggered(setup, params, words):
    answer = setup.airflow.api.post(
        f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": None, "conf": params}
    )
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_grid_that_is_none_fails_the_first_task_without_a_retry(setup):
    run_id, state = setup.run(DAG, grid="N=1..99,T=5m")
    assert state == "failed"
    (ingest,) = [
        one for one in setup.airflow.task_instances(DAG, run_id) if one["task_id"] == "ingest"
    ]
    assert ingest["try_number"] == 1
    log = setup.airflow.task_log(DAG, run_id, "ingest")
    assert "The network knows up to 10 workers" in log
