"""The documentation builds, and its commands do what it says, on a real Airflow and real Spark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from documented_commands import Block, blocks
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.spark_options import find_spark_home
from kitwai_lab.local.airflow import AirflowStandalone
from kitwai_lab.local.spark import SparkMaster
from places import REPOSITORY
from quick_airflow import QUICK_AIRFLOW

DOCS = REPOSITORY / "docs"
# In the order in which a new user reads them: what one page sets up the next ones use.
PAGES = ["connect.md", "modes.md", "training.md", "api.md", "troubleshooting.md"]
BLOCKS = [block for page in PAGES for block in blocks(DOCS / page)]


def _ours() -> list[Block]:
    """The blocks that run here; of several with the same commands the first."""
    first: dict[str, Block] = {}
    for block in BLOCKS:
        if block.by == "":
            first.setdefault(block.commands, block)
    return [*first.values()]


OURS = _ours()

APPLICATION = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("squares").getOrCreate()
print("sum", spark.sparkContext.parallelize(range(100), 8).map(lambda x: x * x).sum())
spark.stop()
"""


def test_the_site_builds_without_a_warning(repository, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=repository,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    assert {"quick-start", "connect", "modes", "training", "how-it-works", "api"} <= pages
    # Nothing is fetched from elsewhere when a page is read.
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        assert 'src="http' not in text, page
        assert 'rel="stylesheet" href="http' not in text, page


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_command_names_the_test_that_runs_it(page, repository):
    for block in blocks(page):
        assert block.by is not None, f"{block} has no comment <!-- run … -->"
        assert block.by == "" or (repository / block.by).is_file(), block
        assert block.by != "" or page.name in PAGES, block


def pool_of(connection, folder):
    extra = connection["extra"]
    return LocalWorkerPool(extra["master"], folder / "airflow" / "kitwai" / "pools" / "my_pool")


@pytest.fixture(scope="module")
def world(tmp_path_factory, repository, new_database):
    """A folder with what the pages presuppose, and the environment of an Airflow that runs."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(repository / "include" / "models", folder / "models")
    events = folder / "spark-events"
    events.mkdir()
    conf = folder / "conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {events.as_uri()}\n"
    )
    (folder / "my_application.py").write_text(APPLICATION)
    for name in ("dags", "plugins", "include", "pyproject.toml", "README.md", "LICENSE"):
        (folder / name).symlink_to(repository / name)
    for requirements in repository.glob("requirements*.txt"):
        (folder / requirements.name).symlink_to(requirements)
    with SparkMaster(folder / "master") as master:
        pool = master.connection({"pool": "local", "max_workers": 3, "worker_cores": 2})
        airflow = AirflowStandalone(
            folder / "airflow",
            repository / "dags",
            repository / "plugins",
            connections={"my_pool": pool},
            env={
                **QUICK_AIRFLOW,
                # On SQLite a backfill and the scheduler are in each other's way.
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": new_database("airflow"),
                # A step a day: the commands are what runs here.
                "AIRFLOW__KITWAI__STEP": "1d",
                "AIRFLOW__KITWAI__MODELS": str(folder / "models"),
                "AIRFLOW__KITWAI__EVENT_LOGS": str(events),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            },
            dag_ids=("kitwai_autoscale", "kitwai_train"),
        )
        with airflow:
            environment = airflow.environment | {
                "SPARK_HOME": str(find_spark_home()),
                "SPARK_CONF_DIR": str(conf),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "PYSPARK_PYTHON": sys.executable,
                "KITWAI_PASSWORD": airflow.password,
            }
            (folder / "airflow" / "dags").mkdir(exist_ok=True)
            where = f"{pool['host']} --conn-port {pool['port']}"
            names = {
                # Into a folder of its own, without what is there already.
                "pip install .": f"pip install --quiet --no-deps --target {folder}/installed .",
                "spark-master.example:7077": master.url.removeprefix("spark://"),
                "spark-master.example --conn-port 8080": where,
                "http://airflow.example:8080": airflow.url,
                "--from 2026-01-31 --to 2026-02-01": f"--from {datetime.now(UTC):%Y-%m-%d}",
                "spark://spark-master.example": master.url,
            }
            scale = ["kitwai", "scale", "--cluster", "my_pool", "--target", "1"]
            subprocess.run(scale, env=environment, timeout=120, check=True)
            try:
                yield folder, environment, names
            finally:
                for worker in pool_of(pool, folder).workers():
                    pool_of(pool, folder).stop(worker)


@pytest.mark.airflow
@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", OURS, ids=str)
def test_the_commands_work(block: Block, world):
    folder, environment, names = world
    commands = block.commands
    for name, real in names.items():
        commands = commands.replace(name, real)
    if "VERSION" in commands:
        champion = (folder / "models" / "champion").read_text().split()[-1]
        others = {path.parent.name for path in folder.glob("models/*/manifest.json")} - {champion}
        commands = commands.replace("VERSION", others.pop())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    for text in (done.stdout, done.stderr):
        assert environment["KITWAI_PASSWORD"] not in text


@pytest.mark.airflow
@pytest.mark.integration
@pytest.mark.slow
def test_what_the_commands_say_is_json(world):
    folder, environment, _ = world
    done = subprocess.run(
        ["kitwai", "observe", "--cluster", "my_pool"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert json.loads(done.stdout)["cluster"] == "my_pool"
