from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

from kitwai.actions.explain import explain, explanation_text
from kitwai.actions.replay import Other, replay
from kitwai.learning.ingest import ingest
from kitwai.registry.known_runs import own_runs
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore
from kitwai_lab.demo.claim import marked
from kitwai_lab.demo.cluster import CLUSTER
from kitwai_lab.demo.history import forget_all

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]

DEMO = [sys.executable, "-m", "kitwai.cli.main", "demo"]


def histories_of(out):
    """The files of past runs as each run of the demo had them: an empty one, and the demo's own."""
    empty = out / "empty.json"
    forget_all(empty)
    return [empty, out / "history.json"]


def decided(store, history):
    """The decisions that were made with the past runs of ``history``."""
    sha256 = hashlib.sha256(history.read_bytes()).hexdigest()
    return [one for one in store.decisions(CLUSTER) if one.decision.history == sha256]


def check_explanations(out, models):
    """Every decision of both runs follows from the store, to the last bit."""
    store = Store(f"sqlite:///{out / 'airflow' / 'kitwai.db'}")
    for history in histories_of(out):
        found = [explain(store, one.id, models, history=history) for one in decided(store, history)]
        assert [explanation_text(one) for one in found if not one.identical] == []
        predicted = [
            one for one in found if any(a.q_values for a in one.stored.decision.applications)
        ]
        assert len(predicted) >= 3, "the application was decided on"


def check_replays(out, models):
    """The champion decides each run as it did; always-N asks for more, and pays for it."""
    store = Store(f"sqlite:///{out / 'airflow' / 'kitwai.db'}")
    for run in ("run-1", "run-2"):
        ingest(out / "cluster" / run / "events", TrainingStore(store.engine))
    until = time.time()
    for history in reversed(histories_of(out)):
        recorded = decided(store, history)
        version, since = recorded[-1].decision.checkpoint, recorded[0].decision.at
        same, always = (
            replay(store, models, CLUSTER, since, until, other, own=own_runs(history))
            for other in (Other(checkpoint=version), Other(policy="always-N"))
        )
        assert same.comparison.decisions == len(recorded)
        assert same.comparison.differs == 0
        assert same.replayed_target == tuple(one.decision.target for one in recorded)
        assert same.unknown == same.notes == ()
        assert (same.real.limits, same.real.met) == (1, 1)
        assert same.replayed == same.recorded
        assert always.comparison.more > 0
        assert always.replayed.worker_s > same.replayed.worker_s
        until = since


@pytest.mark.alone
@pytest.mark.timeout(1500)
def test_the_application_makes_its_limit_twice_and_everything_can_be_stopped(run_path, repository):
    out = run_path / "demo"
    done = subprocess.run(
        [*DEMO, "--out", out, "--keep"], capture_output=True, text=True, timeout=1200
    )
    demo_id = json.loads((out / "demo.json").read_text())["id"]
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads((out / "summary.json").read_text())
        for figures in (summary, summary["second_run"]):
            assert figures["hit"] is True
            assert figures["finish_s"] <= summary["limit_s"]
            assert figures["failed_tasks"] == 0
            assert figures["scale_outs"] >= 1
            assert figures["scale_ins"] >= 1
            assert figures["worker_seconds"] < summary["max_workers"] * figures["finish_s"]
            shown = [f"{figures['finish_s']:.0f}", f"{figures['worker_seconds']:.0f}"]
            assert any(set(shown) <= set(line.split()) for line in done.stdout.splitlines())
        assert (out / "timeline.png").stat().st_size > 0
        check_explanations(out, repository / "include" / "models")
        check_replays(out, repository / "include" / "models")

        url = re.search(r"Still up: Airflow at (\S+),", done.stdout).group(1)
        assert httpx.get(f"{url}/api/v2/version").is_success
        again = subprocess.run([*DEMO, "--out", out], capture_output=True, text=True, timeout=60)
        assert again.returncode == 1
        assert "still up" in again.stderr
        assert again.stderr.count("\n") == 1
    finally:
        stopped = subprocess.run([*DEMO, "--out", out, "--stop"], timeout=120)
    assert stopped.returncode == 0
    assert marked(demo_id) == []


@pytest.mark.parametrize(
    ("line", "wait_s", "number"),
    [
        ("Starting a Spark master", 0.5, signal.SIGINT),
        ("Starting Airflow", 4.0, signal.SIGTERM),
        ("first run: submitting the application", 5.0, signal.SIGINT),
    ],
)
def test_an_interrupt_leaves_no_process(tmp_path, line, wait_s, number):
    with subprocess.Popen(
        [*DEMO, "--out", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        for said in demo.stdout:
            if said.startswith(line):
                break
        time.sleep(wait_s)
        demo_id = json.loads((tmp_path / "demo.json").read_text())["id"]
        assert marked(demo_id)
        demo.send_signal(number)
        said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 130, said
    assert "Traceback" not in said
    assert marked(demo_id) == []
