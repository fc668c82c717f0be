"""The page in a real Airflow that scales a real Spark cluster: a person watches and acts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

import shuffle_job
from asked import wait_until_asked
from kitwai.core.records.observation import Past
from kitwai.observe.look import observe
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai.registry.versions import present_champion, promote, read_manifest, save_version
from kitwai.store.approvals import ApprovalStore
from kitwai.store.store import Store
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster, submit
from looking import DESKTOP, PHONE, SOON_MS, Visitor, go, log_in
from quick_airflow import QUICK_AIRFLOW

CLUSTER = "page_cluster"
BROKEN = "broken_cluster"
DAG_ID = "kitwai_autoscale"
DAGS = (DAG_ID, "kitwai_approve", "kitwai_models")
OTHER = "20261123-00000000"
NAME = "<script>alert(1)</script> of the night"
FIRST_LOAD = 300_000
"""Bytes, as transferred."""

pytestmark = pytest.mark.airflow


@dataclass
class Place:
    """The Airflow, its cluster, and who may log in."""

    airflow: AirflowStandalone
    master: SparkMaster
    pool: LocalWorkerPool
    store: Store
    models: Path

    def step(self, **params: object) -> str:
        """One step to its end; returns its run's id."""
        run_id = self.airflow.trigger(DAG_ID, {"clusters": [CLUSTER], **params})
        run = self.airflow.wait_for_run(DAG_ID, run_id, timeout_s=240)
        assert run["state"] == "success", self.airflow.log
        return run_id

    def log_of(self, run_id: str, task_id: str) -> str:
        """The log of a step's task on the cluster that it is for; other clusters are skipped."""
        (task,) = (
            task
            for task in self.airflow.task_instances(DAG_ID, run_id)
            if (task["task_id"], task["state"]) == (task_id, "success")
        )
        return self.airflow.task_log(
            DAG_ID,
            run_id,
            task_id,
            try_number=task["try_number"],
            map_index=task["map_index"],
        )

    def trust(self, trusted: bool) -> None:
        """Let the champion's network decide, or abstain."""
        path = self.models / present_champion(self.models) / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["trusted"] = dict.fromkeys(manifest["trusted"], trusted)
        path.write_text(json.dumps(manifest))

    def workers(self) -> int:
        return sum(w.alive and w.draining_since is None for w in self.pool.workers())


def add_version(models: Path) -> None:
    """The shipped version once more under another name, as the champion before it."""
    shipped = present_champion(models)
    manifest = read_manifest(models, shipped)
    files = manifest.pop("files")
    manifest.pop("version")

    def write(folder: Path) -> None:
        for name in files:
            shutil.copy(models / shipped / name, folder / name)

    save_version(models, OTHER, manifest, write)
    promote(models, OTHER, shipped)
    promote(models, shipped, OTHER)


@pytest.fixture(scope="module")
def place(tmp_path_factory, repository, new_database) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    models = folder / "models"
    shutil.copytree(repository / "include" / "models", models)
    add_version(models)
    with SparkMaster(folder / "master") as master:
        pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=1024)
        extra = {
            "pool": "local",
            "pool_directory": str(folder / "pool"),
            "worker_cores": 2,
            "worker_memory_mb": 1024,
            "max_workers": 3,
            "quiet": 0,
            "cooldown_out": 0,
            "cooldown_in": 0,
        }
        url = f"sqlite:///{folder / 'kitwai.db'}"
        airflow = AirflowStandalone(
            folder / "airflow",
            repository / "dags",
            repository / "plugins",
            connections={
                CLUSTER: master.connection(extra),
                BROKEN: master.connection({"max_worker": 3}),
            },
            env={
                **QUICK_AIRFLOW,
                # On SQLite its scheduler and its API are in each other's way.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database("airflow"),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,guest:viewer",
                "AIRFLOW__KITWAI__CLUSTERS": f"{CLUSTER},{BROKEN}",
                "AIRFLOW__KITWAI__STORE": url,
                # The tests trigger every step themselves.
                "AIRFLOW__KITWAI__STEP": "1d",
                "AIRFLOW__KITWAI__MODELS": str(models),
            },
            dag_ids=DAGS,
        )
        try:
            pool.start(1)
            with airflow:
                for dag_id in DAGS:
                    airflow.unpause(dag_id)
                yield Place(airflow, master, pool, Store(url), models)
        finally:
            pool.stop_all()


@pytest.fixture
def person(visit, place) -> Visitor:
    """A window in which the admin is logged in."""
    visitor = visit()
    log_in(visitor, place.airflow)
    return visitor


@pytest.fixture
def job(place, tmp_path) -> Iterator[None]:
    """A real application with a limit that one worker cannot make, and a hostile name."""
    (tmp_path / "events").mkdir()
    conf = {
        **shuffle_job.properties((tmp_path / "events").as_uri()),
        "spark.app.name": NAME,
        "spark.kitwai.timeLimit": "120s",
    }
    arguments = [str(tmp_path / "counts.json"), "200", "8", "3"]
    running = submit(
        place.master.url, shuffle_job.SCRIPT, arguments, log=tmp_path / "job.log", conf=conf
    )
    try:
        yield
    finally:
        if running.poll() is None:
            stop_trees([psutil.Process(running.pid)])
        running.wait(30)


def set_control(visitor: Visitor, button: str, label: str | None = None, value: str = "") -> None:
    page = visitor.page
    page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    if label is not None:
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name=re.compile("Confirm|Lift it")).click()
    expect(dialog).to_have_count(0)


def set_mode(visitor: Visitor, mode: str) -> None:
    button = visitor.page.get_by_role("button", name=mode, exact=True)
    if button.get_attribute("aria-pressed") == "false":
        set_control(visitor, mode)
    expect(button).to_have_attribute("aria-pressed", "true")


def test_it_lies_in_airflows_frame_in_airflows_theme(visit, place):
    visitor = visit(theme="light", size=DESKTOP)
    log_in(visitor, place.airflow)
    page = visitor.page
    page.goto(f"{place.airflow.url}/plugin/kitwai")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("link", name=CLUSTER)).to_be_visible()
    expect(page.get_by_role("link", name="Kitwai").first).to_be_visible()
    root = frame.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    # What Airflow's own switch does to its root element.
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(root).to_have_attribute("data-theme", "dark")


def test_it_is_a_tab_of_dags(visit, place):
    visitor = visit()
    log_in(visitor, place.airflow)
    page = visitor.page
    page.goto(f"{place.airflow.url}/dags/{DAG_ID}")
    page.locator(f"a[href$='/dags/{DAG_ID}/plugin/kitwai-dag']").click()
    frame = page.frame_locator("iframe[title=Kitwai]")
    frame.get_by_role("link", name=CLUSTER).click()
    expect(frame.get_by_role("heading", name=CLUSTER)).to_be_visible()
    # The tab's address stays Airflow's: what is opened in it is not kept over a reload.
    page.reload()
    expect(frame.get_by_role("link", name=CLUSTER)).to_be_visible()
    page.goto(f"{place.airflow.url}/dags/kitwai_models/plugin/kitwai-dag")
    expect(frame.get_by_role("row").filter(has_text=OTHER)).to_be_visible()


def test_the_first_load_is_small(visit, place):
    visitor = visit()
    log_in(visitor, place.airflow)
    page = visitor.page
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("about:blank")
    sizes.clear()
    page.goto(f"{place.airflow.url}/kitwai/")
    expect(page.get_by_role("link", name=CLUSTER)).to_be_visible()
    ready_ms = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"the first load transfers {sum(sizes):.0f} bytes and takes {ready_ms:.0f} ms")
    assert len(sizes) >= 4
    assert sum(sizes) <= FIRST_LOAD


def test_nobody_unknown_gets_in(visit, place):
    visitor = visit()
    visitor.page.goto(f"{place.airflow.url}/kitwai/")
    expect(visitor.page.locator("input[name=password]")).to_be_visible()


def test_a_viewer_may_look_only(visit, place):
    visitor = visit()
    log_in(visitor, place.airflow, "guest")
    go(visitor, place.airflow, f"#/clusters/{CLUSTER}")
    button = visitor.page.get_by_role("button", name="Pause …")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(visitor.page.get_by_text("You may look, but not change").first).to_be_visible()


def test_a_person_watches_a_run_change_the_workers(person, place, job, wait_for):
    """Suggest first, then auto; one decision in full; all of it on real Spark."""
    page = person.page
    # Before a task has ended there is nothing to predict a finish from, and no chart of it.
    wait_for(lambda: finished_tasks(place) >= 2, timeout_s=300)

    def predicted() -> bool:
        place.step()
        newest = place.store.decisions(CLUSTER)[-1].decision
        return any(one.predicted_finish_s for one in newest.applications)

    wait_for(predicted, timeout_s=300)
    place.trust(False)
    check_what_decided(place, person, "forecast")
    place.trust(True)
    try:
        check_what_decided(place, person, "network")
    finally:
        place.trust(False)
    go(person, place.airflow, f"#/clusters/{CLUSTER}")
    figure = page.locator("#now-title").locator("xpath=../..").locator(".big")
    expect(figure).to_have_text("1")
    expect(page.locator(".name", has_text=NAME)).to_be_visible()

    page.get_by_role("button", name="auto", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Kitwai adds and removes workers by itself.")
    assert person.faults() == []
    dialog.get_by_role("button", name="Confirm").click()
    auto = page.get_by_role("button", name="auto", exact=True)
    expect(auto).to_have_attribute("aria-pressed", "true")

    def more() -> bool:
        place.step()
        return place.workers() > 1

    wait_for(more, timeout_s=300)
    place.step()
    expect(figure).not_to_have_text("1", timeout=SOON_MS)
    # The page came to know by itself: it was not loaded again.
    mark = page.locator(".marks a").first
    mark.focus()
    expect(page.locator(".tooltip")).to_be_visible()
    assert person.faults() == []
    mark.click()
    expect(page.locator("h1")).to_contain_text("Decision")
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    # What was marked was suggested first, and carried out by a later decision.
    (carried_out,) = place.store.scalings(CLUSTER)
    go(person, place.airflow, f"#/decisions/{carried_out.decision_id}")
    expect(page.get_by_text(re.compile("workers? started")).first).to_be_visible()
    expect(page.locator(".what-if svg")).to_have_count(2)
    table = page.get_by_role("table", name=re.compile("Every target of"))
    expect(table.locator("tbody tr")).to_have_count(3)
    assert page.evaluate("document.querySelectorAll('main script').length") == 0
    href = page.get_by_role("link", name=re.compile("JSON")).get_attribute("href")
    seen = page.evaluate("url => fetch(url).then(answer => answer.json())", href)
    assert seen["applications"][0]["name"] == NAME
    assert person.faults() == []


def finished_tasks(place: Place) -> int:
    look = partial(observe, CLUSTER, place.master.web_url, place.pool, Past(), timeout_s=10.0)
    # This thread has an event loop already, Playwright's.
    with ThreadPoolExecutor() as threads:
        return threads.submit(shuffle_job.finished_tasks, look).result()


def check_what_decided(place: Place, visitor: Visitor, name: str) -> None:
    """A step's decision names what decided in the store, the API, the page and the log."""
    run_id = place.step()
    stored = place.store.decisions(CLUSTER)[-1]
    (application,) = stored.decision.applications
    assert (stored.decision.policy, application.policy) == (name, name)
    assert f"the {name} asked for" in place.log_of(run_id, "step.decide")
    go(visitor, place.airflow, f"#/decisions/{stored.id}")
    page = visitor.page
    expect(page.get_by_text(f"by the {name}").first).to_be_visible()
    answer = page.evaluate(
        "id => fetch(`/kitwai/api/v1/decisions/${id}`).then(answer => answer.json())", stored.id
    )
    assert answer["decision"]["policy"] == name
    assert answer["decision"]["applications"][0]["policy"] == name


def test_pin_and_pause_are_set_and_lifted(person, place, wait_for):
    page = person.page
    go(person, place.airflow, f"#/clusters/{CLUSTER}")
    set_control(person, "Pin a target …", "Target, workers", "2")
    expect(page.get_by_text("Pinned to 2")).to_be_visible()
    set_mode(person, "auto")

    def pinned() -> bool:
        place.step()
        return place.workers() == 2

    wait_for(pinned, timeout_s=300)
    expect(page.locator(".counts").first).to_contain_text("target 2", timeout=SOON_MS)
    set_control(person, "Pause …")
    expect(page.get_by_text("Paused")).to_be_visible()
    expect(page.get_by_text("by admin").first).to_be_visible()
    set_control(person, "Lift the pin")
    set_control(person, "End the pause")
    expect(page.get_by_text("Paused")).to_have_count(0)
    go(person, place.airflow, f"#/clusters/{CLUSTER}/controls")
    expect(page.locator("tbody tr").nth(3)).to_contain_text("admin")


def test_a_suggestion_is_approved(person, place, wait_for):
    """Mode approve: the step asks, the person answers here, Airflow carries it out."""
    page = person.page
    go(person, place.airflow, f"#/clusters/{CLUSTER}")
    set_mode(person, "approve")
    approvals = ApprovalStore(place.store.engine)
    before = place.workers()
    assert before == 2, "the cluster has more than its idle count, so that one may leave"

    def asked() -> bool:
        place.step()
        return approvals.open(CLUSTER) is not None

    wait_for(asked, timeout_s=300)
    run_id = approvals.open(CLUSTER).run_id
    waiting = page.get_by_role("group", name=f"Waiting for approval: {CLUSTER}")
    expect(waiting).to_be_visible(timeout=SOON_MS)
    wait_until_asked(place.airflow, run_id, wait_for)
    waiting.get_by_role("button", name="Approve …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("drained and removed: 2 → 1")
    dialog.get_by_role("button", name="Approve").click()
    expect(waiting).to_have_count(0)
    expect(page.get_by_text("Airflow carries on with it.")).to_be_visible()
    wait_for(lambda: place.workers() == 1, timeout_s=300)
    expect(page.get_by_text("Airflow carries on with it.")).to_have_count(0, timeout=SOON_MS)


def test_what_was_recorded_is_decided_again(person, place):
    page = person.page
    go(person, place.airflow, f"#/clusters/{CLUSTER}/replay")
    page.get_by_role("button", name="Replay").click()
    result = page.locator(".result")
    expect(result).to_contain_text("decided again", timeout=120_000)
    recorded = len(place.store.decisions(CLUSTER))
    expect(result).to_contain_text(f"{recorded} observations decided again")
    assert person.faults() == []


def test_the_champion_is_rolled_back(person, place):
    page = person.page
    go(person, place.airflow, "#/models")
    assert person.faults() == []
    shipped = present_champion(place.models)
    assert shipped != OTHER
    page.get_by_role("button", name="Roll back …").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("row").filter(has_text=OTHER).get_by_text("champion")).to_be_visible()
    assert present_champion(place.models) == OTHER
    go(person, place.airflow, "#/training")
    expect(page.get_by_text("rolled back")).to_be_visible()
    go(person, place.airflow, f"#/models/{shipped}")
    expect(page.locator(".prose img")).to_have_count(3)
    pictures = "[...document.querySelectorAll('.prose img')]"
    page.locator(".prose img").last.scroll_into_view_if_needed()
    page.wait_for_function(f"{pictures}.every(one => one.complete && one.naturalWidth)")
    page.get_by_role("button", name="Promote …").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.locator(".toast")).to_have_text(f"{shipped} is champion.")
    assert present_champion(place.models) == shipped


def test_every_view_of_real_data_is_without_serious_fault(visit, place):
    newest = place.store.newest_decisions(CLUSTER)[0].id
    views = [
        "#/",
        f"#/clusters/{CLUSTER}",
        f"#/clusters/{BROKEN}",
        f"#/clusters/{CLUSTER}/history",
        f"#/clusters/{CLUSTER}/controls",
        f"#/clusters/{CLUSTER}/replay",
        f"#/decisions/{newest}",
        "#/models",
        f"#/models/{present_champion(place.models)}",
        "#/training",
    ]
    # Both themes and a desktop's size: test_page, on more states than these.
    visitor = visit(theme="dark", size=PHONE)
    log_in(visitor, place.airflow)
    for view in views:
        go(visitor, place.airflow, view)
        assert visitor.faults() == [], view
        assert visitor.side_scroll() <= 0, view
