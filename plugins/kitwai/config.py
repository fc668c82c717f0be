"""Kitwai's settings: the `[kitwai]` section of Airflow's configuration, and what one Airflow
connection says of its cluster. Every value is checked here, before anything is touched.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kitwai.core.constraint import Constraint, parse_duration
from kitwai.core.decision import ClusterSettings, Mode
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
    "store": ("", "Database URL of the store; empty: kitwai.db in AIRFLOW_HOME."),
    "retention": (
        "30d",
        "Observations, decisions and scalings older than this leave the store; 0 keeps all.",
    ),
    "metrics_port": ("", "Port on which `kitwai metrics` serves Prometheus; empty: it prints."),
    "models": ("", "Folder of the checkpoints; empty: include/models beside the plugins folder."),
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
    # plugins/kitwai/config.py -> the folder that holds plugins/, dags/ and include/.
    return Path(__file__).resolve().parents[2] / "include" / "models"


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


class _Extra(BaseModel):
    """The JSON "extra" of a cluster's connection; times are Spark time strings or seconds."""

    model_config = ConfigDict(extra="forbid")

    master: str | None = None
    max_workers: int = Field(10, strict=True)
    limit: str | float = "10min"
    mode: Mode = Mode.SUGGEST
    min_workers: int = Field(1, strict=True)
    quiet: str | float = "30s"
    cooldown_out: str | float = "15s"
    cooldown_in: str | float = "30s"
    start_delay: str | float = "15s"
    stale: str | float = "30s"
    timeout: str | float = "2s"
    drain: str | float = "20s"
    margin: float = 1.0
    miss_probability: float = 0.01
    history: str | None = None
    driver_log: str | None = None
    metrics: Literal["psutil", "ganglia", "prometheus", "spark"] = "psutil"
    metrics_address: str | None = None
    metrics_master: str | None = None
    metrics_filter: str | None = None
    metrics_window: str | float = "1min"
    pool: Literal["none", "local", "docker"] = "none"
    pool_directory: str | None = None
    worker_cores: int = Field(2, strict=True)
    worker_memory_mb: int = Field(1024, strict=True, ge=256)
    spark_home: str | None = None
    docker_url: str = "unix:///var/run/docker.sock"
    image: str = Field("kitwai-engine", min_length=1)
    network: str = Field("kitwai", min_length=1)
    container_cpus: float | None = Field(None, ge=0.1)
    container_memory_mb: int | None = Field(None, strict=True)


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerConfig:
    """What a worker's container is made of, and where.

    ``engine_url``: of the Docker engine; ``image``: as ``docker/engine`` builds it; ``network``:
    where master, workers and drivers reach one another by name; ``cpus`` and ``memory_mb`` (MiB):
    limits of a container.
    """

    engine_url: str
    image: str
    network: str
    cpus: float
    memory_mb: int


@dataclasses.dataclass(frozen=True, slots=True)
class PoolConfig:
    """Which pool runs the workers of a cluster, and how large one worker is.

    ``kind``: none, local or docker; ``name`` tells the cluster's pool from others on the same
    engine, ``directory`` from others on the same machine; ``worker_memory_mb``: MiB.
    """

    kind: str
    name: str
    master: str
    directory: Path
    worker_cores: int
    worker_memory_mb: int
    spark_home: Path | None
    containers: ContainerConfig


@dataclasses.dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Where a cluster's CPU, memory and network are measured (`kitwai.observe.metric_source`).

    ``address``: ``host:port`` of Ganglia, URL of Prometheus, otherwise empty. ``master``: the name
    or address under which the source knows the master's node. ``filter``: Ganglia's name of the
    cluster, or further label matchers for Prometheus, which rates over ``window_s``.
    """

    kind: str = "psutil"
    address: str = ""
    master: str = "localhost"
    filter: str | None = None
    window_s: float = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Everything one Airflow connection says of its cluster.

    ``web_url`` is the master's web UI; an observation is complete within ``timeout_s``;
    ``history`` is the file of past runs (`kitwai.store.history`); ``driver_log`` the location of
    drivers' logs, in which ``{id}`` stands for the application's id.
    """

    settings: ClusterSettings
    web_url: str
    timeout_s: float
    pool: PoolConfig
    metrics: MetricsConfig = MetricsConfig()
    driver_log: str | None = None
    history: Path | None = None


def cluster_config(
    conn_id: str,
    *,
    host: str | None,
    port: int | None,
    schema: str | None,
    extra: dict[str, Any],
    max_workers: int | None = None,
    limit: str | float | None = None,
    mode: str | None = None,
) -> ClusterConfig:
    """The configuration of the cluster behind the connection ``conn_id``.

    :param host: host of the master; ``port``: of its web UI (8080 if None); ``schema``: http(s).
    :param extra: see the README's table of connection fields.
    :param max_workers: N, ``limit``: T, ``mode``: what a run asks for instead of the connection's.
    :raises InvalidInputError: naming the connection, the field and the fault.
    """
    where = f"Connection {conn_id!r}"
    if not host:
        raise InvalidInputError(f"{where} names no host: set it to the Spark master's host name.")
    if (schema or "http") not in ("http", "https"):
        raise InvalidInputError(f"{where}: the schema must be http or https, not {schema!r}.")
    try:
        fields = _Extra.model_validate(extra)
    except ValidationError as error:
        raise InvalidInputError(f"{where}: extra field {_first(error)}") from error
    if fields.pool == "none" and (mode or fields.mode) != Mode.SUGGEST:
        raise InvalidInputError(
            f"{where}: mode {mode or fields.mode.value} needs a pool that starts and stops "
            'workers: set "pool" in the extra, or use mode suggest.'
        )
    times = {
        "quiet_s": _seconds(where, "quiet", fields.quiet),
        "cooldown_out_s": _seconds(where, "cooldown_out", fields.cooldown_out),
        "cooldown_in_s": _seconds(where, "cooldown_in", fields.cooldown_in),
        "start_delay_s": _seconds(where, "start_delay", fields.start_delay),
        "drain_s": _seconds(where, "drain", fields.drain),
        "stale_s": _seconds(where, "stale", fields.stale),
    }
    most = fields.max_workers if max_workers is None else max_workers
    settings = ClusterSettings(
        cluster=conn_id,
        constraint=Constraint(
            most,
            parse_duration(fields.limit if limit is None else limit),
            fields.miss_probability,
        ),
        mode=_mode(mode, fields.mode),
        # A run may ask for fewer workers than usually stay.
        min_workers=min(fields.min_workers, max(most, 1)) if max_workers else fields.min_workers,
        cores_per_worker=fields.worker_cores,
        margin=fields.margin,
        **times,
    )
    master = fields.master or f"spark://{host}:7077"
    if not master.startswith("spark://"):
        raise InvalidInputError(
            f"{where}: master must look like spark://host:7077, not {master!r}."
        )
    return ClusterConfig(
        settings=settings,
        timeout_s=parse_duration(fields.timeout),
        metrics=_metrics(where, host, fields),
        driver_log=_driver_log(where, fields.driver_log),
        history=Path(fields.history) if fields.history else None,
        web_url=f"{schema or 'http'}://{host}:{port or 8080}",
        pool=PoolConfig(
            kind=fields.pool,
            name=conn_id,
            master=master,
            directory=Path(fields.pool_directory or airflow_home() / "kitwai" / "pools" / conn_id),
            worker_cores=fields.worker_cores,
            worker_memory_mb=fields.worker_memory_mb,
            spark_home=Path(fields.spark_home) if fields.spark_home else None,
            containers=_containers(where, fields),
        ),
    )


_GANGLIA_ADDRESS = re.compile(r"[^\s/@]+:\d{1,5}")
_MATCHERS = re.compile(r'\w+(=|!=|=~|!~)"[^"{}]*"(,\w+(=|!=|=~|!~)"[^"{}]*")*')


def _metrics(where: str, host: str, fields: _Extra) -> MetricsConfig:
    address = fields.metrics_address
    if fields.metrics == "ganglia" and not _GANGLIA_ADDRESS.fullmatch(address or ""):
        raise InvalidInputError(
            f"{where}: metrics ganglia needs metrics_address as host:port of a gmond or gmetad."
        )
    if fields.metrics == "prometheus":
        if not (address or "").startswith(("http://", "https://")):
            raise InvalidInputError(
                f"{where}: metrics prometheus needs metrics_address as http://host:port."
            )
        if fields.metrics_filter and not _MATCHERS.fullmatch(fields.metrics_filter):
            raise InvalidInputError(
                f"{where}: metrics_filter must be label matchers for Prometheus, such as "
                'job="node".'
            )
    return MetricsConfig(
        kind=fields.metrics,
        address=address or "",
        master=fields.metrics_master or host,
        filter=fields.metrics_filter,
        window_s=_seconds(where, "metrics_window", fields.metrics_window),
    )


def _driver_log(where: str, location: str | None) -> str | None:
    if location is not None and "{id}" not in location:
        raise InvalidInputError(
            f"{where}: driver_log must hold {{id}}, which stands for the application's id, such as "
            "/var/log/spark/{id}.log."
        )
    return location


def _containers(where: str, fields: _Extra) -> ContainerConfig:
    """A container's limits are by default what its worker offers and what Spark needs beside it."""
    needed = container_memory_mb(fields.worker_memory_mb)
    memory_mb = needed if fields.container_memory_mb is None else fields.container_memory_mb
    if memory_mb < needed:
        raise InvalidInputError(
            f"{where}: container_memory_mb must be at least {needed} where worker_memory_mb is "
            f"{fields.worker_memory_mb}, not {memory_mb}."
        )
    return ContainerConfig(
        engine_url=fields.docker_url,
        image=fields.image,
        network=fields.network,
        cpus=float(fields.worker_cores if fields.container_cpus is None else fields.container_cpus),
        memory_mb=memory_mb,
    )


def container_memory_mb(worker_memory_mb: int) -> int:
    """MiB that a worker of ``worker_memory_mb`` MiB needs in all.

    Beside the executors' heaps: what a JVM takes outside its heap (Spark's
    ``spark.executor.memoryOverhead``: a tenth, at least 384 MiB) and 512 MiB for the worker itself.
    """
    return worker_memory_mb + max(384, worker_memory_mb // 10) + 512


def _mode(asked: str | None, configured: Mode) -> Mode:
    if asked is None:
        return configured
    try:
        return Mode(asked)
    except ValueError:
        allowed = ", ".join(mode.value for mode in Mode)
        raise InvalidInputError(f"mode must be one of {allowed}, not {asked!r}.") from None


def _seconds(where: str, name: str, value: str | float) -> float:
    try:
        return 0.0 if value in (0, "0", "0s") else parse_duration(value)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: extra field {name!r}: {error}") from error


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in fault["loc"])
    return f"{name!r}: {fault['msg']}, not {fault['input']!r}."
