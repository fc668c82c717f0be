"""What one Airflow connection says of its cluster. Every value is checked here, before anything is
touched.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kitwai.config.options import airflow_home
from kitwai.core.records.constraint import Constraint, parse_duration
from kitwai.core.records.decision import ClusterSettings, Mode
from kitwai.errors import InvalidInputError

FLAPS_A_WORKER = 12
"""The default flap budget: for each of the most workers, started and told to leave every ten
minutes.
"""


class _Extra(BaseModel):
    """The JSON "extra" of a cluster's connection; times are Spark time strings or seconds."""

    # A misspelt field may hold a secret, which must not stand in a traceback.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

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
    flap_budget: int | None = Field(None, strict=True)
    approval_timeout: str | float = "5min"
    history: str | None = None
    driver_log: str | None = None
    metrics: Literal["psutil", "ganglia", "prometheus", "spark"] = "psutil"
    metrics_address: str | None = None
    metrics_master: str | None = None
    metrics_filter: str | None = None
    metrics_window: str | float = "1min"
    pool: Literal["none", "local", "docker", "swarm"] = "none"
    pool_directory: str | None = None
    worker_cores: int = Field(2, strict=True)
    worker_memory_mb: int = Field(1024, strict=True, ge=256)
    spark_home: str | None = None
    docker_url: str = "unix:///var/run/docker.sock"
    image: str = Field("kitwai-engine", min_length=1)
    network: str = Field("kitwai", min_length=1)
    container_cpus: float | None = Field(None, ge=0.1)
    container_memory_mb: int | None = Field(None, strict=True)
    reserved_cpus: float | None = Field(None, ge=0)


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerConfig:
    """What a worker's container is made of, and where.

    ``engine_url``: of the Docker engine; ``image``: as ``docker/spark`` builds it; ``network``:
    where master, workers and drivers reach one another by name; ``cpus`` and ``memory_mb`` (MiB):
    limits of a container; ``reserved_cpus``: what Swarm sets aside for one on its host.
    """

    engine_url: str
    image: str
    network: str
    cpus: float
    memory_mb: int
    reserved_cpus: float


@dataclasses.dataclass(frozen=True, slots=True)
class PoolConfig:
    """Which pool runs the workers of a cluster, and how large one worker is.

    ``kind``: none, local, docker or swarm; ``master``: its ``spark://`` address; ``web_url``: its
    web UI; ``name`` tells the cluster's pool from others on the same engine, ``directory`` from
    others on the same machine; ``worker_memory_mb``: MiB;
    ``secret``: Spark's ``spark.authenticate.secret``, None where the cluster has none.
    """

    kind: str
    name: str
    master: str
    web_url: str
    directory: Path
    worker_cores: int
    worker_memory_mb: int
    spark_home: Path | None
    containers: ContainerConfig
    secret: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Where a cluster's CPU, memory and network are measured (`kitwai.observe.metrics.source`).

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
    ``history`` is the file of past runs (`kitwai.registry.history_file`); ``driver_log`` the
    location of drivers' logs, in which ``{id}`` stands for the application's id; a question in
    mode approve waits ``approval_timeout_s`` for its answer.
    """

    settings: ClusterSettings
    web_url: str
    timeout_s: float
    pool: PoolConfig
    metrics: MetricsConfig = MetricsConfig()
    driver_log: str | None = None
    history: Path | None = None
    approval_timeout_s: float = 300.0


def cluster_config(
    conn_id: str,
    *,
    host: str | None,
    port: int | None,
    schema: str | None,
    extra: dict[str, Any],
    password: str | None = None,
    max_workers: int | None = None,
    limit: str | float | None = None,
    mode: str | None = None,
) -> ClusterConfig:
    """The configuration of the cluster behind the connection ``conn_id``.

    No message repeats what a text field holds: it may be a secret in the wrong place, and messages
    are shown on the page, in logs and in decisions.

    :param host: host of the master; ``port``: of its web UI (8080 if None); ``schema``: http(s).
    :param extra: see the table of fields in docs/settings.md.
    :param password: the secret by which the cluster's parts know one another.
    :param max_workers: N, ``limit``: T, ``mode``: what a run asks for instead of the connection's.
    :raises InvalidInputError: naming the connection, the field and the fault.
    """
    where = f"Connection {conn_id!r}"
    if not host:
        raise InvalidInputError(f"{where} names no host: set it to the Spark master's host name.")
    if (schema or "http") not in ("http", "https"):
        raise InvalidInputError(f"{where}: the schema must be http or https.")
    try:
        fields = _Extra.model_validate(extra)
    except ValidationError as error:
        raise InvalidInputError(f"{where}: extra field {_first(error)}") from error
    if fields.pool == "none" and (mode or fields.mode) != Mode.SUGGEST:
        raise InvalidInputError(
            f"{where}: mode {mode or fields.mode.value} needs a pool that starts and stops "
            'workers: set "pool" in the extra, or use mode suggest.'
        )
    times: dict[str, Any] = {
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
            _time(where, "limit", fields.limit) if limit is None else parse_duration(limit),
            fields.miss_probability,
        ),
        mode=_mode(mode, fields.mode),
        # A run may ask for fewer workers than usually stay.
        min_workers=min(fields.min_workers, max(most, 1)) if max_workers else fields.min_workers,
        cores_per_worker=fields.worker_cores,
        margin=fields.margin,
        flap_budget=(
            FLAPS_A_WORKER * fields.max_workers
            if fields.flap_budget is None
            else fields.flap_budget
        ),
        managed=fields.pool != "none",
        **times,
    )
    master = fields.master or f"spark://{host}:7077"
    if not master.startswith("spark://"):
        raise InvalidInputError(f"{where}: master must look like spark://host:7077.")
    web_url = f"{schema or 'http'}://{host}:{port or 8080}"
    return ClusterConfig(
        settings=settings,
        timeout_s=_time(where, "timeout", fields.timeout),
        approval_timeout_s=_time(where, "approval_timeout", fields.approval_timeout),
        metrics=_metrics(where, host, fields),
        driver_log=_driver_log(where, fields.driver_log),
        history=Path(fields.history) if fields.history else None,
        web_url=web_url,
        pool=PoolConfig(
            kind=fields.pool,
            name=conn_id,
            master=master,
            web_url=web_url,
            directory=Path(fields.pool_directory or airflow_home() / "kitwai" / "pools" / conn_id),
            worker_cores=fields.worker_cores,
            worker_memory_mb=fields.worker_memory_mb,
            spark_home=Path(fields.spark_home) if fields.spark_home else None,
            containers=_containers(where, fields),
            secret=_secret(where, password),
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


_SECRET = re.compile(r"[!-~]{1,1024}")


def _secret(where: str, password: str | None) -> str | None:
    if password and not _SECRET.fullmatch(password):
        raise InvalidInputError(
            f"{where}: the password, which is Spark's spark.authenticate.secret, must be up to "
            "1024 printable ASCII characters without spaces."
        )
    return password or None


def _containers(where: str, fields: _Extra) -> ContainerConfig:
    """A container's limits are by default what its worker offers and what Spark needs beside it."""
    needed = container_memory_mb(fields.worker_memory_mb)
    memory_mb = needed if fields.container_memory_mb is None else fields.container_memory_mb
    if memory_mb < needed:
        raise InvalidInputError(
            f"{where}: container_memory_mb must be at least {needed} where worker_memory_mb is "
            f"{fields.worker_memory_mb}, not {memory_mb}."
        )
    cpus = float(fields.worker_cores if fields.container_cpus is None else fields.container_cpus)
    reserved = cpus if fields.reserved_cpus is None else fields.reserved_cpus
    if reserved > cpus:
        raise InvalidInputError(
            f"{where}: reserved_cpus must be at most container_cpus, which is {cpus:g}, not "
            f"{reserved:g}."
        )
    return ContainerConfig(
        engine_url=fields.docker_url,
        image=fields.image,
        network=fields.network,
        cpus=cpus,
        memory_mb=memory_mb,
        reserved_cpus=reserved,
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
    return 0.0 if value in (0, "0", "0s") else _time(where, name, value)


def _time(where: str, name: str, value: str | float) -> float:
    try:
        return parse_duration(value)
    except InvalidInputError:
        # Not chained: the cause repeats the value.
        raise InvalidInputError(
            f"{where}: extra field {name!r} is not a time: write a positive number with a unit, "
            "such as 90s, 5min or 1h."
        ) from None


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{name!r} is unknown: correct its name or remove it."
    return f"{name!r}: {fault['msg']}."
