"""Kitwai's settings: the `[kitwai]` section of Airflow's configuration. What one cluster's
connection says is read by `kitwai.config.connection`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kitwai.core.records.constraint import parse_duration
from kitwai.errors import InvalidInputError

SECTION = "kitwai"
CONTINUOUS = "@continuous"
OPTIONS: dict[str, tuple[str, str]] = {
    "clusters": (
        "spark_cluster_default",
        "Connection ids of the clusters to scale, separated by commas.",
    ),
    "step": (
        "15s",
        f"Time between two steps of the autoscale DAG, or {CONTINUOUS} for one after another.",
    ),
    "clusters_per_task": (
        "1",
        "Clusters whose steps share one task, 1 to 100. 1: each has three tasks of its own. A task "
        "costs Airflow over a second of a processor, so that many clusters want more, such as 25.",
    ),
    "store": ("", "Database URL of the store; empty: kitwai.db in AIRFLOW_HOME."),
    "retention": (
        "30d",
        "Observations, decisions and scalings older than this leave the store; 0 keeps all.",
    ),
    "dag_tab": (
        "true",
        "Whether DAGs have a tab that shows Kitwai's page; Airflow shows it on all of them.",
    ),
    "metrics_port": ("", "Port on which `kitwai metrics` serves Prometheus; empty: it prints."),
    "notifiers": (
        "",
        "Airflow notifiers that are told of limits in danger and faults: `module:name` of a "
        "notifier, or of a function that gives some; separated by commas.",
    ),
    "models": ("", "Folder of the checkpoints; empty: include/models beside the plugins folder."),
    "shadow": (
        "",
        "Versions that decide on every observation without acting, separated by commas, or "
        "newest; empty: none.",
    ),
    "event_logs": (
        "",
        "Folder of Spark event logs that the training DAG reads, or its URL; empty: "
        "kitwai/event_logs in AIRFLOW_HOME.",
    ),
    "training": (
        "",
        "Folder for the training DAG's intermediate files; empty: kitwai/training in AIRFLOW_HOME.",
    ),
    "grid": ("N=1..10,T=5..10m", "Constraints under which the training DAG collects experience."),
    "seed": ("0", "Seed of the training DAG: the same data and seed give the same version."),
    "effort": (
        "1.0",
        "How much experience a training collects, how long it trains and on how many applications "
        "it is judged, as a share of the usual, above 0 to 10.",
    ),
    "collect_tasks": ("4", "Tasks among which the training DAG divides the grid, 1 to 60."),
}
"""Options of the `[kitwai]` section: default and meaning."""


def option(name: str) -> str:
    """The value of an option of `[kitwai]` (airflow.cfg or ``AIRFLOW__KITWAI__<NAME>``)."""
    from airflow.configuration import conf

    value = conf.get(SECTION, name, fallback=OPTIONS[name][0])
    return value if value is not None else OPTIONS[name][0]


def clusters() -> list[str]:
    """Connection ids of the configured clusters."""
    return [name.strip() for name in option("clusters").split(",") if name.strip()]


def clusters_per_task() -> int:
    """Clusters whose steps share one task."""
    count = option("clusters_per_task").strip()
    if not count.isdecimal() or not 1 <= int(count) <= 100:
        raise InvalidInputError(
            f"[kitwai] clusters_per_task must be a number from 1 to 100, not {count!r}."
        )
    return int(count)


def notifiers() -> list[str]:
    """Where the notifiers are found, each as ``module:name``."""
    return [path.strip() for path in option("notifiers").split(",") if path.strip()]


def step_seconds() -> float | None:
    """Seconds between two steps; None for one after another without a pause."""
    step = option("step").strip()
    return None if step == CONTINUOUS else parse_duration(step)


def store_url() -> str:
    """Database URL of the store."""
    return option("store") or f"sqlite:///{airflow_home() / 'kitwai.db'}"


def retention_seconds() -> float | None:
    """How long the store remembers; None for ever."""
    retention = option("retention").strip()
    return None if retention in ("", "0") else parse_duration(retention)


def shadows() -> list[str]:
    """Versions that decide without acting, as they are written: ``newest`` may be among them."""
    return [name.strip() for name in option("shadow").split(",") if name.strip()]


def dag_tab() -> bool:
    """Whether DAGs have a tab with the page."""
    text = option("dag_tab").strip().lower()
    if text not in ("true", "false"):
        raise InvalidInputError(f"[kitwai] dag_tab must be true or false, not {text!r}.")
    return text == "true"


def metrics_port() -> int | None:
    """The port to serve metrics on; None: they are not served."""
    port = option("metrics_port").strip()
    if not port:
        return None
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InvalidInputError(f"[kitwai] metrics_port must be a port's number, not {port!r}.")
    return int(port)


def models_root() -> Path:
    """Folder of the checkpoints."""
    configured = option("models")
    if configured:
        return Path(configured)
    # plugins/kitwai/config/options.py -> the folder that holds plugins/, dags/ and include/.
    return Path(__file__).resolve().parents[3] / "include" / "models"


def event_logs() -> Any:
    """Folder of Spark event logs: a `Path`, or an `ObjectStoragePath` where a URL is configured."""
    configured = option("event_logs")
    if "://" in configured:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(configured)
    return Path(configured or airflow_home() / "kitwai" / "event_logs")


def training_root() -> Path:
    """Folder for what the training DAG's tasks hand on to each other."""
    return Path(option("training") or airflow_home() / "kitwai" / "training")


def airflow_home() -> Path:
    """Airflow's home folder."""
    from airflow.configuration import AIRFLOW_HOME

    return Path(AIRFLOW_HOME)
