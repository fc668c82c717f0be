"""What docker-compose.yaml promises without being run."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from places import REPOSITORY

SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|CONN", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{([A-Z_]+)((?::?[-?])[^}]*)?\}")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def texts(value, where=""):
    """Every text of a parsed file with the names that lead to it."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from texts(part, f"{where}.{name}")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from texts(part, f"{where}[{at}]")
    elif value is not None:
        yield where, str(value)


def test_no_secret_has_a_default(compose):
    seen = set()
    for where, text in texts(compose):
        for name, rest in VARIABLE.findall(text):
            if SECRET.search(name):
                assert rest.startswith(":?"), f"{where}: {name}"
                seen.add(name)
        # What is called a secret, and every address with a user, holds variables alone.
        for password in re.findall(r"//[^:/\s]+:([^@\s]*)@", text):
            assert VARIABLE.fullmatch(password), where
        name = where.rpartition(".")[2]
        if re.search(r"PASSWORD|SECRET|FERNET", name):
            assert VARIABLE.fullmatch(text), where
    assert len(seen) == 8


def test_every_variable_is_in_the_example_and_no_secret_of_it_has_a_value(compose):
    example = (REPOSITORY / ".env.example").read_text()
    told = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    used = {name for _, text in texts(compose) for name, _ in VARIABLE.findall(text)}
    assert used <= told.keys()
    assert told.keys() <= used
    for name, value in told.items():
        if SECRET.search(name):
            assert value == "", name


def test_no_service_has_a_privilege(services):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        unwanted = {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"}
        assert not unwanted & service.keys(), name
        assert str(service.get("user", "")).partition(":")[0] not in ("0", "root"), name


def test_only_the_proxy_has_the_socket_and_only_the_scheduler_reaches_the_proxy(services):
    with_socket = {
        name
        for name, service in services.items()
        if any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
    }
    assert with_socket == {"socket-proxy"}
    assert services["socket-proxy"]["networks"] == ["engine"]
    reach = {name for name, service in services.items() if "engine" in service["networks"]}
    assert reach == {"socket-proxy", "airflow-scheduler"}
    assert "ports" not in services["socket-proxy"]


def test_what_is_published_is_so_on_this_machine_alone_by_default(services):
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert published == {"airflow-apiserver": ["${KITWAI_LISTEN:-127.0.0.1:8080}:8080"]}


def test_the_script_fills_in_every_empty_setting_and_twice_differently(tmp_path):
    socket = tmp_path / "socket"
    socket.touch()
    made = []
    for _ in range(2):
        text = subprocess.run(
            [REPOSITORY / "scripts" / "env.sh"],
            env={"PATH": "/usr/bin:/bin", "DOCKER_SOCKET": str(socket)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        made.append(dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE)))
    first, second = made
    assert first["DOCKER_GID"] == second["DOCKER_GID"] == str(socket.stat().st_gid)
    secrets = [name for name in first if SECRET.search(name)]
    assert len({first[name] for name in secrets} | {second[name] for name in secrets}) == 16
    for name in secrets:
        assert re.fullmatch(r"[A-Za-z0-9_=-]{44}", first[name]), name
