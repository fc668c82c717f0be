"""docker-compose.yaml as a whole: it comes up, scales an application, and gives nothing away."""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from compose_stack import AIRFLOW_IMAGE, DAG_ID, NETWORK, ComposeStack, told, wait
from docker_engine import ENGINE_IMAGE
from kitwai.pools.spark_options import DECOMMISSION, QUICK_JVM
from kitwai_lab.demo import application
from kitwai_lab.demo.measure import read_event_log
from kitwai_lab.demo.service import PermitService
from kitwai_lab.local.spark import event_log_conf

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]

LIMIT_S = 600
MEMORY_MB = 512
UP_S = 420.0
DRIVER = "kitwai-test-driver"


@pytest.fixture(scope="module")
def stack(engine, repository, tmp_path_factory):
    stack = ComposeStack(
        engine,
        repository,
        tmp_path_factory.mktemp("compose"),
        KITWAI_MAX_WORKERS="4",
        KITWAI_TIMEOUT="8s",
        KITWAI_WORKER_MEMORY_MB=str(MEMORY_MB),
    )
    stack.build()
    with stack, told(stack):
        wait("Airflow lets admin in", stack.log_in, UP_S)
        yield stack


def test_every_part_comes_up_healthy_and_the_dags_are_there(stack):
    def healthy() -> bool:
        states = {name: one["State"] for name, one in stack.services().items()}
        assert states.pop("airflow-init")["ExitCode"] == 0
        assert all(state["Status"] == "running" for state in states.values()), states
        return all(state["Health"]["Status"] == "healthy" for state in states.values())

    wait("every service is healthy", healthy, UP_S)
    health = stack.api.get("/api/v2/monitor/health").json()
    parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    assert {part: health[part]["status"] for part in parts} == dict.fromkeys(parts, "healthy")
    wait("the DAGs are parsed", lambda: {DAG_ID, "kitwai_train"} <= dag_ids(stack), 120)
    assert stack.api.get("/api/v2/importErrors").json()["import_errors"] == []


def dag_ids(stack) -> set[str]:
    return {dag["dag_id"] for dag in stack.api.get("/api/v2/dags").json()["dags"]}


def test_a_wrong_password_is_refused(stack):
    for password in ("admin", "airflow", "", "x"):
        login = {"username": "admin", "password": password}
        assert stack.api.post("/auth/token", json=login).status_code in (400, 401)


def test_nothing_is_privileged_or_runs_as_root(stack):
    for name, seen in stack.services().items():
        host = seen["HostConfig"]
        assert host["Privileged"] is False, name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["ReadonlyRootfs"] is True, name
        if not seen["State"]["Running"]:
            continue
        listed = stack.client.top(seen["Id"], "-eo uid,pid,args")
        assert {row[0] for row in listed["Processes"]}.isdisjoint({"0", "root"}), name


def test_the_image_names_no_package_index_and_no_secret(stack):
    history = json.dumps(stack.client.history(AIRFLOW_IMAGE))
    config = json.dumps(stack.client.inspect_image(AIRFLOW_IMAGE)["Config"])
    for word in ("PIP_", "INDEX_URL", "FIND_LINKS", "FERNET", "PASSWORD="):
        assert word not in config, word
        assert word not in history, word
    code, printed = stack.run(
        "airflow-scheduler", ["sh", "-c", "ls /root/.config /etc/pip.conf /opt/venv/bin/pip"]
    )
    assert code != 0
    assert "pip.conf\n" not in printed.replace("'", "").replace("cannot access /etc/pip.conf", "")


def test_the_store_and_airflow_have_a_database_each_and_neither_opens_the_others(stack):
    for user, database, works in (
        ("airflow", "airflow", True),
        ("kitwai", "kitwai", True),
        ("kitwai", "airflow", False),
        ("airflow", "kitwai", False),
    ):
        password = stack.secrets[f"{user.upper()}_DB_PASSWORD"]
        url = f"postgresql://{user}:{password}@127.0.0.1/{database}"
        code, printed = stack.run("postgres", ["psql", url, "-c", "SELECT 1"])
        assert (code == 0) is works, printed


# What a process in the scheduler's container may try to get more than workers out of the engine.
ATTEMPTS = """
import json, sys, urllib.error, urllib.request
for method, path, body in json.loads(sys.argv[1]):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request("http://socket-proxy:2375" + path, data, method=method)
    asked.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            print(json.dumps([answer.status, answer.read(200).decode(errors="replace")]))
    except urllib.error.HTTPError as error:
        print(json.dumps([error.code, error.read(200).decode(errors="replace")]))
"""


def attempts(stack, requests):
    code, printed = stack.run(
        "airflow-scheduler", ["python3", "-c", ATTEMPTS, json.dumps(requests)]
    )
    assert code == 0, printed
    return [json.loads(line) for line in printed.splitlines()]


def test_the_proxy_refuses_what_the_pool_does_not_need(stack):
    seen = stack.services()["postgres"]
    postgres, name = seen["Id"], seen["Name"].removeprefix("/")
    own = {"Image": ENGINE_IMAGE, "HostConfig": {"NetworkMode": NETWORK}}
    forbidden = [
        ("POST", f"/containers/{postgres}/exec", {"Cmd": ["id"]}),
        ("POST", f"/containers/{postgres}/stop", None),
        ("POST", f"/containers/{name}/stop", None),
        ("DELETE", f"/containers/{postgres}?force=1", None),
        ("GET", f"/containers/{postgres}/json", None),
        ("GET", f"/containers/{postgres}/logs?stdout=1", None),
        ("GET", "/containers/json", None),
        ("POST", "/build", None),
        ("POST", "/images/create?fromImage=debian", None),
        ("POST", f"/images/{ENGINE_IMAGE}/push", None),
        ("GET", "/volumes", None),
        ("POST", "/volumes/create", {"Name": "x"}),
        ("GET", "/secrets", None),
        ("POST", "/swarm/init", {"ListenAddr": "0.0.0.0"}),
        ("GET", "/info", None),
        ("POST", "/networks/create", {"Name": "x"}),
        ("POST", "/containers/create", {"Image": ENGINE_IMAGE, "HostConfig": {"Privileged": True}}),
        ("POST", "/containers/create", {**own, "HostConfig": {"Binds": ["/:/host"]}}),
        ("POST", "/containers/create", {**own, "Image": AIRFLOW_IMAGE}),
        ("POST", "/containers/create", own),
    ]
    before = {one["Id"] for one in stack.client.containers(all=True)}
    for asked, (status, said) in zip(forbidden, attempts(stack, forbidden), strict=True):
        if asked[1].startswith(
            "/containers/kitwai-test_"
        ):  # compose's own versions differ in names
            assert status in (403, 404), (asked, said)
            continue
        assert status == 403, (asked, said)
        assert "socket proxy refuses" in said
    assert attempts(stack, [("GET", "/_ping", None)]) == [[200, "OK"]]
    assert {one["Id"] for one in stack.client.containers(all=True)} == before
    assert stack.services()["postgres"]["State"]["Running"]


def test_only_the_scheduler_knows_the_proxy(stack):
    # Docker answers for what it knows at once, and asks outside for what it does not.
    look = ["timeout", "5", "getent", "hosts", "socket-proxy"]
    assert stack.run("airflow-scheduler", look)[0] == 0
    for name in ("airflow-apiserver", "airflow-dag-processor", "airflow-triggerer", "spark-master"):
        assert stack.run(name, look)[0] != 0, name


def test_an_application_makes_its_limit_on_workers_that_come_and_go(stack, tmp_path):
    stack.api.patch(f"/api/v2/dags/{DAG_ID}", json={"is_paused": False}).raise_for_status()
    wait("there is a first worker", lambda: len(stack.workers()) >= 1, 300)
    network = stack.client.inspect_network(NETWORK)
    with PermitService(1.0, host=network["IPAM"]["Config"][0]["Gateway"]) as service:
        driver = submit(stack, service.url)
        most, code = 0, None
        try:
            while code is None:
                most = max(most, len(stack.workers()))
                # The limit leaves a slow machine its time; a quick one need not wait for the end.
                if len(service.asked) >= 2:
                    service.hasten()
                try:
                    code = stack.client.wait(driver, timeout=1)["StatusCode"]
                except docker.errors.requests.exceptions.RequestException:
                    continue
            printed = stack.client.logs(driver, tail=30).decode()
            assert code == 0, printed
            run = event_log(stack, driver, tmp_path)
        finally:
            stack.client.remove_container(driver, force=True, v=True)
    assert len(service.asked) >= 2, "one worker alone would have been late"
    assert run.ended_at - run.started_at < LIMIT_S
    assert run.failed_tasks == 0
    wait("it has scaled in again", lambda: len(stack.workers()) == 1, 240)
    assert len(stack.workers(every=True)) >= most
    stack.api.patch(f"/api/v2/dags/{DAG_ID}", json={"is_paused": True}).raise_for_status()


def test_who_knows_the_clusters_secret_is_let_in_and_nobody_else(stack):
    """What a task of Airflow's submits knows it from the scheduler."""
    pi = "/opt/venv/lib/python3.11/site-packages/pyspark/examples/src/main/python/pi.py"
    # A driver without the secret hears nothing from the master, and gives up after a minute.
    submit_pi = [
        *("timeout", "400", "spark-submit", "--master", "spark://spark-master:7077"),
        *("--driver-java-options", QUICK_JVM),
        *("--conf", f"spark.executor.extraJavaOptions={QUICK_JVM}"),
        *("--conf", f"spark.executor.memory={MEMORY_MB}m", pi, "2"),
    ]
    # Which of its networks' addresses the scheduler's own name means first is left to chance: a
    # driver must hear its executors whichever it is.
    networks = stack.services()["airflow-scheduler"]["NetworkSettings"]["Networks"]
    with ThreadPoolExecutor() as threads:
        stranger = threads.submit(stack.run, "airflow-scheduler", submit_pi)
        for address in [one["IPAddress"] for name, one in networks.items() if name != NETWORK]:
            settings = ["SPARK_CONF_DIR=/tmp/spark-conf", f"SPARK_LOCAL_IP={address}"]
            code, printed = stack.run("airflow-scheduler", ["env", *settings, *submit_pi])
            assert code == 0, printed
            assert "Pi is roughly 3.1" in printed
        # Training finds what these did.
        code, printed = stack.run("airflow-scheduler", ["ls", "/var/log/spark-events"])
        assert printed.count("eventlog_v2_app-") == len(networks) - 1
        code, printed = stranger.result()
    assert code not in (0, 127), printed
    assert "Pi is roughly" not in printed


def submit(stack, service_url: str) -> str:
    """Submit the demo's application: one worker would need 900 s for its first part alone."""
    conf = {
        **DECOMMISSION,
        "spark.app.name": "kitwai-demo",
        "spark.storage.decommission.replicationReattemptInterval": "2s",
        "spark.kitwai.timeLimit": f"{LIMIT_S}s",
        "spark.executor.cores": "2",
        "spark.executor.memory": f"{MEMORY_MB}m",
        "spark.driver.extraJavaOptions": QUICK_JVM,
        "spark.executor.extraJavaOptions": QUICK_JVM,
        "spark.ui.showConsoleProgress": "false",
        **event_log_conf("file:///var/log/spark-events"),
    }
    options = [part for item in conf.items() for part in ("--conf", "=".join(item))]
    script = Path(application.__file__)
    made = stack.client.create_container(
        ENGINE_IMAGE,
        [
            *("org.apache.spark.deploy.SparkSubmit", "--master", "spark://spark-master:7077"),
            *(*options, "/application.py", "--files", "/usr/lib/python3.11"),
            *("--service", service_url, "--permits", "12", "--tasks", "150"),
            *("--levels", "5", "--partitions", "2"),
        ],
        name=DRIVER,
        hostname=DRIVER,
        entrypoint=["tini", "--", "with-secret"],
        environment={"SPARK_AUTH_SECRET": stack.secrets["SPARK_AUTH_SECRET"]},
        host_config=stack.client.create_host_config(
            network_mode=NETWORK,
            binds=[
                f"{script}:/application.py:ro",
                "kitwai-test_event-logs:/var/log/spark-events",
            ],
        ),
    )
    stack.client.start(made)
    return str(made["Id"])


def event_log(stack, driver: str, folder: Path):
    """What the application's event log says, as Airflow reads it for training."""
    code, printed = stack.run("airflow-scheduler", ["sh", "-c", "cat /var/log/spark-events/app-*"])
    assert code == 0, printed
    content, _ = stack.client.get_archive(driver, "/var/log/spark-events/.")
    with tarfile.open(fileobj=io.BytesIO(b"".join(content))) as archive:
        archive.extractall(folder, filter="data")
    return read_event_log(folder)
