"""The pictures of README and documentation: `make pictures`.

What they show is real: applications on two Spark clusters of this machine, which an Airflow scales
step by step for a quarter of an hour, looked at in Chromium. The applications' tasks only wait.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

import shuffle_job
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai.store.approvals import ApprovalStore
from kitwai.store.store import Store
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster, submit
from looking import DESKTOP, PHONE, TALL, go, log_in

ETL, REPORTS = "etl_production", "reports"
DAG_ID = "kitwai_autoscale"
DAGS = (DAG_ID, "kitwai_approve", "kitwai_models")
RUNS = (
    ("daily_sales", 180, "220s"),
    ("currency_rates", 80, "150s"),
    ("customer_segments", 300, "300s"),
)
"""Name, tasks and limit of the applications that have ended when the pictures are taken."""

LAST = "product_ranking"
WAIT_S = 4
"""Seconds that every task of the applications waits."""

pytestmark = pytest.mark.airflow


@dataclass
class Cluster:
    """One Spark cluster with its pool of workers on this machine."""

    name: str
    master: SparkMaster
    pool: LocalWorkerPool
    folder: Path
    max_workers: int
    mode: str
    drivers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def connection(self) -> dict:
        return self.master.connection(
            {
                "pool": "local",
                "pool_directory": str(self.folder / "pool"),
                "worker_cores": 2,
                "worker_memory_mb": 1024,
                "max_workers": self.max_workers,
                "mode": self.mode,
                # One machine carries all of it: drivers are slow to answer while workers start.
                "timeout": "5s",
            }
        )

    def run(self, name: str, tasks: int, limit: str) -> subprocess.Popen[bytes]:
        """Submit an application of ``tasks`` tasks and return at once."""
        folder = self.folder / name
        (folder / "events").mkdir(parents=True)
        conf = {
            **shuffle_job.properties((folder / "events").as_uri()),
            "spark.app.name": name,
            "spark.kitwai.timeLimit": limit,
        }
        arguments = [str(folder / "counts.json"), str(tasks), "8", str(WAIT_S)]
        driver = submit(
            self.master.url, shuffle_job.SCRIPT, arguments, log=folder / "job.log", conf=conf
        )
        self.drivers.append(driver)
        return driver

    def end_drivers(self) -> None:
        for driver in self.drivers:
            if driver.poll() is None:
                stop_trees([psutil.Process(driver.pid)])
            driver.wait(30)

    def shrunk(self) -> bool:
        """Whether one worker is left."""
        return sum(worker.alive for worker in self.pool.workers()) == 1


def made(folder: Path, name: str, most: int, mode: str, held: ExitStack) -> Cluster:
    master = held.enter_context(SparkMaster(folder / "master"))
    pool = LocalWorkerPool(master.url, folder / "pool", cores=2, memory_mb=1024)
    cluster = Cluster(name, master, pool, folder, most, mode)
    held.callback(pool.stop_all)
    held.callback(cluster.end_drivers)
    pool.start(1)
    return cluster


@dataclass
class Place:
    """The Airflow and its clusters."""

    airflow: AirflowStandalone
    etl: Cluster
    reports: Cluster
    store: Store


@pytest.fixture
def place(tmp_path, repository) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    with ExitStack() as held:
        etl = made(tmp_path / "etl", ETL, 6, "auto", held)
        reports = made(tmp_path / "reports", REPORTS, 4, "approve", held)
        airflow = AirflowStandalone(
            tmp_path / "airflow",
            repository / "dags",
            repository / "plugins",
            connections={one.name: one.connection() for one in (etl, reports)},
            env={
                "AIRFLOW__KITWAI__CLUSTERS": f"{ETL},{REPORTS}",
                "AIRFLOW__KITWAI__STORE": url,
            },
            dag_ids=DAGS,
        )
        held.enter_context(airflow)
        for dag_id in DAGS:
            airflow.unpause(dag_id)
        yield Place(airflow, etl, reports, Store(url))


@pytest.mark.timeout(2400)
def test_pictures_of_what_is_real(visit, place, wait_for: Callable[..., None]):
    some_runs(place, wait_for)
    # All of it shares the machine with the browser.
    expect.set_options(timeout=90_000)
    desktop = visit(size=DESKTOP)
    log_in(desktop, place.airflow)
    page = desktop.page
    expect(page.get_by_role("button", name="Approve …")).to_be_visible()
    expect(page.get_by_text(LAST, exact=True)).to_be_visible()
    desktop.picture("overview", {"width": 1280, "height": 700})

    page.goto(f"{place.airflow.url}/dags/{DAG_ID}/plugin/kitwai-dag")
    frame = page.frame_locator("iframe[title=Kitwai]")
    expect(frame.get_by_role("link", name=ETL)).to_be_visible()
    desktop.picture("airflow", {"width": 1440, "height": 900})

    dark = visit(theme="dark", size=DESKTOP)
    log_in(dark, place.airflow)
    go(dark, place.airflow, f"#/clusters/{ETL}")
    dark.page.get_by_role("button", name="15 min").click()
    expect(dark.page.locator(".marks li").nth(3)).to_be_visible()
    dark.picture("cluster", {"width": 1280, "height": 1010})

    phone = visit(size=PHONE, has_touch=True, is_mobile=True)
    log_in(phone, place.airflow)
    expect(phone.page.get_by_role("button", name="Approve …")).to_be_visible()
    phone.picture("phone")

    scaled_out = [one for one in place.store.scalings(ETL) if one.started]
    settled = [one for one in scaled_out if (one.body or {}).get("settled")]
    go(desktop, place.airflow, f"#/decisions/{settled[-1].decision_id}")
    expect(page.locator(".what-if svg")).to_have_count(2)
    desktop.picture("decision", TALL)


def some_runs(place: Place, wait_for: Callable[..., None]) -> None:
    """Three applications one after the other, a fourth that still runs, a question on the other
    cluster.
    """
    etl, store = place.etl, place.store
    wait_for(lambda: store.newest_decisions(ETL), 120)
    for name, tasks, limit in RUNS:
        driver = etl.run(name, tasks, limit)
        wait_for(lambda driver=driver: driver.poll() is not None, 600)
        wait_for(etl.shrunk, 180)
    begun = time.time()
    place.reports.run("weekly_report", 110, "240s")
    etl.run(LAST, 240, "300s")
    wait_for(lambda: any(one.started and one.ended_at for one in store.scalings(ETL, begun)), 240)
    wait_for(lambda: ApprovalStore(store.engine).open(REPORTS), 240)
    # Until tasks have ended on the new workers, and the forecast knows it.
    time.sleep(25)
