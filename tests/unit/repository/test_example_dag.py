"""What the example DAG hands to the driver that it starts."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture
def driver_environment(repository, monkeypatch):
    """The environment of the driver, with these variables in Airflow's."""

    def with_variables(**variables: str) -> dict[str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        path = repository / "dags" / "kitwai_example_spark_job.py"
        spec = importlib.util.spec_from_file_location("example_dag", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        (task,) = module.dag.tasks
        return task.get_env({})

    return with_variables


def test_a_driver_sees_nothing_of_airflows_settings(driver_environment):
    environment = driver_environment(
        AIRFLOW__CORE__FERNET_KEY="secret",
        AIRFLOW_CONN_PROD="spark://user:secret@host",
        SPARK_AUTH_SECRET="secret",
        SPARK_CONF_DIR="/etc/spark",
        PATH="/usr/bin",
    )
    assert "secret" not in " ".join(environment.values())
    assert not [name for name in environment if name.startswith("AIRFLOW__")]
    assert environment["SPARK_CONF_DIR"] == "/etc/spark"
    assert environment["PATH"] == "/usr/bin"
    assert environment["MASTER"] == "{{ params.master }}"
