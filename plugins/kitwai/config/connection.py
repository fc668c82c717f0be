"""What one Airflow connection says of its cluster. Every value is checked here, before anything is
touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

from pydantic import Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from kitwai.config.fields import Fields, Time, TimeOrZero, first_fault
from kitwai.config.kinds import METRIC_SOURCES, POOLS, Kind
from kitwai.config.metrics import MetricsConfig, SourceSettings
from kitwai.config.pools import PoolConfig, PoolSettings
from kitwai.core.records.constraint import Constraint, parse_duration
from kitwai.core.records.settings import ClusterSettings, Mode
from kitwai.errors import InvalidInputError

FLAPS_A_WORKER = 12
"""The default flap budget: for each of the most workers, started and told to leave every ten
minutes.
"""


def _named_in(kinds: Mapping[str, Kind[Any]]) -> PlainValidator:
    *names, last = (repr(name) for name in kinds)

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in kinds:
            expected = {"expected": f"{', '.join(names)} or {last}"}
            raise PydanticCustomError("unknown_kind", "Input should be {expected}", expected)
        return value

    return PlainValidator(check)


class _Extra(Fields):
    """The fields of every connection; pools and metric sources have theirs besides."""

    master: str | None = None
    max_workers: int = Field(10, strict=True)
    limit: Time = 600.0
    mode: Mode = Mode.SUGGEST
    min_workers: int = Field(1, strict=True)
    quiet: TimeOrZero = 30.0
    cooldown_out: TimeOrZero = 15.0
    cooldown_in: TimeOrZero = 30.0
    start_delay: TimeOrZero = 15.0
    stale: TimeOrZero = 30.0
    timeout: Time = 2.0
    drain: TimeOrZero = 20.0
    margin: float = 1.0
    miss_probability: float = 0.01
    flap_budget: int | None = Field(None, strict=True)
    approval_timeout: Time = 300.0
    history: str | None = None
    driver_log: str | None = None
    metrics: Annotated[str, _named_in(METRIC_SOURCES)] = "psutil"
    pool: Annotated[str, _named_in(POOLS)] = "none"

    def check(self, where: str) -> None:
        """:raises InvalidInputError: the place of drivers' logs does not say which is whose."""
        if self.driver_log is not None and "{id}" not in self.driver_log:
            raise InvalidInputError(
                f"{where}: driver_log must hold {{id}}, which stands for the application's id, "
                "such as /var/log/spark/{id}.log."
            )


FIELD_NAMES = frozenset(_Extra.model_fields).union(
    *(kind.settings.model_fields for kind in (*POOLS.values(), *METRIC_SOURCES.values()))
)
"""The names of all fields that an extra may have."""


@dataclass(frozen=True, slots=True)
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
    pool: PoolConfig[Any]
    metrics: MetricsConfig[Any]
    driver_log: str | None
    history: Path | None
    approval_timeout_s: float


class Asked(TypedDict, total=False):
    """What a run asks for instead of the connection's: N, T and the mode; None: as that has it."""

    max_workers: int | None
    limit: str | float | None
    mode: str | None


def cluster_config(
    conn_id: str,
    *,
    host: str | None,
    port: int | None,
    schema: str | None,
    extra: dict[str, Any],
    password: str | None = None,
    **asked: Unpack[Asked],
) -> ClusterConfig:
    """The configuration of the cluster behind the connection ``conn_id``.

    No message repeats what a text field holds: it may be a secret in the wrong place, and messages
    are shown on the page, in logs and in decisions.

    :param host: host of the master; ``port``: of its web UI (8080 if None); ``schema``: http(s).
    :param extra: see the table of fields in docs/settings.md.
    :param password: the secret by which the cluster's parts know one another.
    :raises InvalidInputError: naming the connection, the field and the fault.
    """
    where = f"Connection {conn_id!r}"
    if not host:
        raise InvalidInputError(f"{where} names no host: set it to the Spark master's host name.")
    if (schema or "http") not in ("http", "https"):
        raise InvalidInputError(f"{where}: the schema must be http or https.")
    fields, pools, sources = _validated(where, extra)
    pool, source = pools[fields.pool], sources[fields.metrics]
    settings = _cluster_settings(where, conn_id, fields, pool, asked)
    master = fields.master or f"spark://{host}:7077"
    if not master.startswith("spark://"):
        raise InvalidInputError(f"{where}: master must look like spark://host:7077.")
    # What a pool that is not chosen cannot use is told too; a source's address is the chosen one's.
    for part in (source, fields, *pools.values()):
        part.check(where)
    web_url = f"{schema or 'http'}://{host}:{port or 8080}"
    return ClusterConfig(
        settings=settings,
        timeout_s=fields.timeout,
        approval_timeout_s=fields.approval_timeout,
        metrics=MetricsConfig(fields.metrics, source.metrics_master or host, source),
        driver_log=fields.driver_log,
        history=Path(fields.history) if fields.history else None,
        web_url=web_url,
        pool=PoolConfig(
            kind=fields.pool,
            name=conn_id,
            master=master,
            web_url=web_url,
            settings=pool,
            secret=_secret(where, password),
        ),
    )


def _validated(
    where: str, extra: dict[str, Any]
) -> tuple[_Extra, dict[str, PoolSettings], dict[str, SourceSettings]]:
    """The fields of every connection, and by kind those of each pool and metric source."""
    try:
        fields = _Extra.model_validate(extra)
        pools = {name: kind.settings.model_validate(extra) for name, kind in POOLS.items()}
        sources = {
            name: kind.settings.model_validate(extra) for name, kind in METRIC_SOURCES.items()
        }
    except ValidationError as error:
        raise InvalidInputError(f"{where}: {first_fault(error)}") from error
    for name in extra:
        if name not in FIELD_NAMES:
            raise InvalidInputError(
                f"{where}: extra field {name!r} is unknown: correct its name or remove it."
            )
    return fields, pools, sources


def _cluster_settings(
    where: str, conn_id: str, fields: _Extra, pool: PoolSettings, asked: Asked
) -> ClusterSettings:
    max_workers, limit, mode = asked.get("max_workers"), asked.get("limit"), asked.get("mode")
    if fields.pool == "none" and (mode or fields.mode) != Mode.SUGGEST:
        raise InvalidInputError(
            f"{where}: mode {mode or fields.mode.value} needs a pool that starts and stops "
            'workers: set "pool" in the extra, or use mode suggest.'
        )
    most = fields.max_workers if max_workers is None else max_workers
    limit_s = fields.limit if limit is None else parse_duration(limit)
    flap_budget = fields.flap_budget
    return ClusterSettings(
        cluster=conn_id,
        constraint=Constraint(most, limit_s, fields.miss_probability),
        mode=_mode(mode, fields.mode),
        # A run may ask for fewer workers than usually stay.
        min_workers=min(fields.min_workers, max(most, 1)) if max_workers else fields.min_workers,
        cores_per_worker=pool.worker_cores,
        margin=fields.margin,
        flap_budget=FLAPS_A_WORKER * fields.max_workers if flap_budget is None else flap_budget,
        managed=fields.pool != "none",
        quiet_s=fields.quiet,
        cooldown_out_s=fields.cooldown_out,
        cooldown_in_s=fields.cooldown_in,
        start_delay_s=fields.start_delay,
        drain_s=fields.drain,
        stale_s=fields.stale,
    )


_SECRET = re.compile(r"[!-~]{1,1024}")


def _secret(where: str, password: str | None) -> str | None:
    if password and not _SECRET.fullmatch(password):
        raise InvalidInputError(
            f"{where}: the password, which is Spark's spark.authenticate.secret, must be up to "
            "1024 printable ASCII characters without spaces."
        )
    return password or None


def _mode(asked: str | None, configured: Mode) -> Mode:
    if asked is None:
        return configured
    try:
        return Mode(asked)
    except ValueError:
        allowed = ", ".join(mode.value for mode in Mode)
        raise InvalidInputError(f"mode must be one of {allowed}, not {asked!r}.") from None
