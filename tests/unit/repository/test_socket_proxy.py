"""What the proxy before the Docker engine lets through (docker/socket-proxy/rules.py)."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import sys
import tarfile
from urllib.parse import quote

import pytest

from kitwai.config.pools.docker import ContainerConfig
from kitwai.pools.containers import AUTH_FILE, USER_ID, archive
from kitwai.pools.docker.docker_pool import DockerWorkerPool
from places import REPOSITORY

RULES = REPOSITORY / "docker" / "socket-proxy" / "rules.py"
IMAGE, NETWORK = "registry.example/kitwai-engine:1", "kitwai"
FILTER = quote(json.dumps({"label": ["kitwai.pool=a", "kitwai.worker"]}))


def _load():
    spec = importlib.util.spec_from_file_location("socket_proxy_rules", RULES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


rules = _load()
BOUNDS = rules.Bounds(IMAGE, NETWORK)


@pytest.fixture
def asked():
    """The body that the pool's own client sends to create a worker."""
    containers = ContainerConfig("unix:///nowhere", IMAGE, NETWORK, 2.0, 2048, 0.0)
    pool = DockerWorkerPool("spark://spark:7077", "my_cluster", containers, secret="s" * 40)
    import docker

    client = docker.APIClient("unix:///nowhere", version="1.41")
    pool.engine.__dict__["client"] = client
    description = pool._description("kitwai-my-cluster-1", 1)
    name = description.pop("name")
    assert name == "kitwai-my-cluster-1"
    return json.loads(json.dumps(client.create_container_config(**description)))


def create(body):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = rules.check("POST", "/v1.41/containers/create?name=kitwai-1", sent, BOUNDS)
    assert (call.method, call.path) == ("POST", "/v1.41/containers/create")
    assert call.query == "name=kitwai-1"
    return json.loads(call.body)


def test_what_the_pool_creates_is_handed_on_whole(asked):
    made = create(asked)
    for name in ("Image", "Hostname", "Labels", "Cmd", "Env"):
        assert made[name] == asked[name], name
    assert made["HostConfig"] == {k: v for k, v in asked["HostConfig"].items() if v}


def test_a_field_that_a_client_leaves_at_nothing_is_left_out(asked):
    asked |= {"User": "", "Volumes": None, "Tty": False, "Entrypoint": []}
    asked["HostConfig"] |= {"Privileged": False, "Binds": None, "CapAdd": []}
    made = create(asked)
    assert not {"User", "Volumes", "Entrypoint"} & made.keys()
    assert not {"Privileged", "Binds", "CapAdd"} & made["HostConfig"].keys()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("HostConfig.Privileged", True),
        # The engine reads names in any case; the proxy knows one.
        ("HostConfig.privileged", True),
        ("hostconfig", {"Privileged": True}),
        ("HostConfig.Binds", ["/:/host"]),
        ("HostConfig.Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
        ("HostConfig.VolumesFrom", ["other"]),
        ("HostConfig.Devices", [{"PathOnHost": "/dev/sda"}]),
        ("HostConfig.CapAdd", ["SYS_ADMIN"]),
        ("HostConfig.CapDrop", []),
        ("HostConfig.CapDrop", ["MKNOD"]),
        ("HostConfig.SecurityOpt", ["no-new-privileges", "apparmor=unconfined"]),
        ("HostConfig.SecurityOpt", None),
        ("HostConfig.NetworkMode", "host"),
        ("HostConfig.NetworkMode", "container:postgres"),
        ("HostConfig.PidMode", "host"),
        ("HostConfig.IpcMode", "host"),
        ("HostConfig.UsernsMode", "host"),
        ("HostConfig.PortBindings", {"22/tcp": [{"HostPort": "22"}]}),
        ("HostConfig.RestartPolicy", {"Name": "always"}),
        ("HostConfig.Memory", 0),
        ("HostConfig.Memory", True),
        ("HostConfig.Memory", "2g"),
        ("HostConfig.MemorySwap", -1),
        ("HostConfig.NanoCpus", None),
        ("HostConfig.PidsLimit", -1),
        ("HostConfig", None),
        ("Image", "debian"),
        ("Image", None),
        ("User", "root"),
        ("Entrypoint", ["sh", "-c"]),
        ("Cmd", ["org.apache.spark.deploy.SparkSubmit", "x.py"]),
        ("Cmd", "org.apache.spark.deploy.worker.Worker"),
        ("Cmd", []),
        ("Env", ["LD_PRELOAD=/x.so"]),
        ("Env", ["JDK_JAVA_OPTIONS=-agentpath:/x.so"]),
        ("Env", [1]),
        ("Labels", {"kitwai.pool": "a"}),
        ("Labels", {"kitwai.pool": "a", "kitwai.worker": "1", "com.docker.compose.project": "x"}),
        ("Labels", {"kitwai.pool": "", "kitwai.worker": "1"}),
        ("Hostname", "a b"),
        ("NetworkingConfig", {"EndpointsConfig": {"database": {}}}),
        ("Healthcheck", {"Test": ["CMD", "id"]}),
        ("Runtime", "other"),
    ],
)
def test_a_container_that_is_no_worker_or_has_more_than_one_is_refused(asked, where, value):
    body = copy.deepcopy(asked)
    *outer, name = where.split(".")
    target = body
    for part in outer:
        target = target[part]
    target[name] = value
    with pytest.raises(rules.Refused) as caught:
        create(body)
    assert "\n" not in str(caught.value)
    create(asked)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"[" * 60_000, b"\xff", b"{}"])
def test_a_body_that_is_no_description_is_refused(body):
    with pytest.raises(rules.Refused):
        create(body)


def test_of_a_name_given_twice_only_the_checked_value_reaches_the_engine(asked):
    text = json.dumps(asked)
    host = json.dumps(asked["HostConfig"])
    twice = text.replace(host, f'{{"Privileged": true}}, "HostConfig": {host}')
    assert twice != text
    assert "Privileged" not in create(twice.encode())["HostConfig"]


@pytest.mark.parametrize(
    ("method", "target", "handed_on"),
    [
        ("GET", "/_ping", "/_ping"),
        ("GET", "/v1.41/_ping", "/v1.41/_ping"),
        ("GET", "/version", "/version"),
        ("GET", f"/v1.41/images/{IMAGE}/json", f"/v1.41/images/{IMAGE}/json"),
        ("GET", f"/images/{quote(IMAGE, safe='')}/json", f"/images/{IMAGE}/json"),
        ("GET", "/v1.41/networks/kitwai", "/v1.41/networks/kitwai"),
        (
            "GET",
            f"/containers/json?limit=-1&all=1&size=0&trunc_cmd=0&filters={FILTER}",
            "/containers/json",
        ),
        ("GET", "/containers/a1/json", "/containers/{worker}/json"),
        ("POST", "/v1.41/containers/json/start", "/v1.41/containers/{worker}/start"),
        ("POST", "/containers/a1/stop?t=10", "/containers/{worker}/stop"),
        ("POST", "/containers/a1/kill?signal=30", "/containers/{worker}/kill"),
        ("DELETE", "/containers/a1?v=True&link=False&force=True", "/containers/{worker}"),
        ("GET", "/containers/a1/logs?stderr=1&stdout=1&tail=9", "/containers/{worker}/logs"),
        (
            "GET",
            "/containers/a1/archive?path=%2Ftmp%2Fkitwai-draining",
            "/containers/{worker}/archive",
        ),
    ],
)
def test_what_the_pool_asks_is_handed_on(method, target, handed_on):
    call = rules.check(method, target, b"", BOUNDS)
    assert (call.method, call.path) == (method, handed_on)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/containers/a1/exec"),
        ("POST", "/exec/a1/start"),
        ("POST", "/containers/a1/attach"),
        ("POST", "/containers/a1/update"),
        ("POST", "/containers/a1/restart"),
        ("POST", "/containers/a1/rename?name=b"),
        ("POST", "/containers/prune"),
        ("GET", "/containers/a1/top"),
        ("GET", "/containers/a1/export"),
        ("GET", "/containers/a1/changes"),
        ("POST", "/build"),
        ("POST", "/images/create?fromImage=debian"),
        ("POST", f"/images/{IMAGE}/push"),
        ("DELETE", f"/images/{IMAGE}"),
        ("GET", "/images/json"),
        ("GET", "/images/debian/json"),
        ("GET", f"/images/{IMAGE}/../other/json"),
        ("POST", "/images/load"),
        ("POST", "/commit?container=a1"),
        ("GET", "/volumes"),
        ("POST", "/volumes/create"),
        ("GET", "/secrets"),
        ("POST", "/secrets/create"),
        ("GET", "/configs"),
        ("GET", "/swarm"),
        ("POST", "/swarm/init"),
        ("GET", "/services"),
        ("POST", "/services/create"),
        ("GET", "/nodes"),
        ("GET", "/plugins"),
        ("GET", "/info"),
        ("GET", "/events"),
        ("POST", "/auth"),
        ("POST", "/session"),
        ("POST", "/grpc"),
        ("GET", "/networks"),
        ("GET", "/networks/bridge"),
        ("POST", "/networks/create"),
        ("POST", "/networks/kitwai/connect"),
        ("DELETE", "/networks/kitwai"),
        # All containers, or those of others: whatever does not name a pool's label.
        ("GET", "/containers/json"),
        ("GET", "/containers/json?filters="),
        ("GET", "/containers/json?filters=%7B%7D"),
        ("GET", f"/containers/json?filters={quote(json.dumps({'label': ['other=1']}))}"),
        ("GET", f"/containers/json?filters={quote(json.dumps({'name': ['postgres']}))}"),
        ("GET", f"/containers/json?filters={FILTER}&filters=%7B%7D"),
        ("POST", "/containers/a1/kill"),
        ("POST", "/containers/a1/kill?signal=9"),
        ("POST", "/containers/a1/kill?signal=30&signal=9"),
        ("GET", "/containers/a1/archive?path=/etc/passwd"),
        ("GET", "/containers/a1/archive?path=/tmp/../etc/passwd"),
        ("GET", "/containers/a1/archive?path=/var/lib/spark/kitwai-auth.conf"),
        ("PUT", "/containers/a1/archive?path=/usr/bin"),
        ("GET", "/containers/a1/logs?follow=1"),
        ("GET", "/containers/../images/json"),
        ("GET", "/containers/a1%2F..%2Fb/json"),
        ("GET", "/containers/a1/json?size=1"),
        ("GET", "//containers/a1/json"),
        ("GET", "/v1.41/v1.41/version"),
        ("GET", "http://engine/version/../info"),
        ("CONNECT", "/version"),
        ("HEAD", "/containers/a1/archive?path=/etc"),
        ("GET", ""),
        ("GET", "*"),
    ],
)
def test_everything_else_is_refused(method, target):
    with pytest.raises(rules.Refused):
        rules.check(method, target, b"", BOUNDS)


def test_a_body_where_none_belongs_is_refused():
    # A start with a body sets the container's HostConfig in old versions of the engine's API.
    with pytest.raises(rules.Refused):
        rules.check("POST", "/v1.20/containers/a1/start", b'{"Privileged": true}', BOUNDS)


def packed(*entries: tarfile.TarInfo, data: bytes = b"") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for entry in entries:
            entry.size = len(data) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def entry(name: str, **changes) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in ({"mode": 0o644, "mtime": 1234.5, "uid": 10001} | changes).items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    ("path", "name"),
    [(rules.MARK[0], "kitwai-draining"), ("/", "var/lib/spark/kitwai-auth.conf")],
)
def test_the_two_files_of_a_worker_are_handed_on(path, name):
    target = f"/containers/a1/archive?path={quote(path)}"
    call = rules.check("PUT", target, packed(entry(name), data=b"abc"), BOUNDS)
    assert call.path == "/containers/{worker}/archive"
    with tarfile.open(fileobj=io.BytesIO(call.body)) as tar:
        (made,) = tar.getmembers()
        assert tar.extractfile(made).read() == b"abc"
    assert (made.name, made.mode, made.mtime, made.uid) == (name, 0o444, 1234.5, 10001)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no tar",
        packed(),
        packed(entry("usr/bin/tini")),
        packed(entry("../kitwai-draining")),
        packed(entry("kitwai-draining"), entry("usr/bin/tini")),
        packed(entry("kitwai-draining", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        packed(entry("kitwai-draining", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
        packed(entry("kitwai-draining", type=tarfile.CHRTYPE)),
        packed(entry("kitwai-draining"), data=b"x" * 5000),
    ],
)
def test_another_file_is_refused(body):
    with pytest.raises(rules.Refused):
        rules.check("PUT", "/containers/a1/archive?path=/", body, BOUNDS)


def test_the_secret_of_a_cluster_is_handed_on_as_the_pool_sends_it():
    sent = archive({AUTH_FILE: b"spark.authenticate true"}, mode=0o400)
    call = rules.check("PUT", "/containers/a1/archive?path=%2F", sent, BOUNDS)
    with tarfile.open(fileobj=io.BytesIO(call.body)) as tar:
        (made,) = tar.getmembers()
        assert (made.name, made.mode, made.uid) == (AUTH_FILE.lstrip("/"), 0o400, USER_ID)


def test_no_right_of_a_file_goes_beyond_reading():
    body = packed(entry("kitwai-draining", mode=0o6755))
    call = rules.check("PUT", "/containers/a1/archive?path=/tmp", body, BOUNDS)
    with tarfile.open(fileobj=io.BytesIO(call.body)) as tar:
        assert tar.getmembers()[0].mode == 0o444
