"""Reads an application's own Spark properties: its limits, its inputs, whether it is endless."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import FailFast, TypeAdapter

from kitwai.core.records.constraint import parse_duration
from kitwai.errors import InvalidInputError
from kitwai.observe.http import Answer, decode
from kitwai.observe.spark_json import SparkModel

LIMIT_KEY = "spark.kitwai.timeLimit"
MAX_WORKERS_KEY = "spark.kitwai.maxWorkers"
INPUTS_KEY = "spark.kitwai.inputs."
NO_LIMIT = "none"
_SHUFFLE_SERVICE_KEY = "spark.shuffle.service.enabled"
_MAX_CORES_KEY = "spark.cores.max"
_DYNAMIC_KEYS = ("spark.dynamicAllocation.maxExecutors", "spark.executor.cores")

_SHELLS = frozenset(("Spark shell", "PySparkShell", "SparkR", "Thrift JDBC/ODBC Server"))
"""Names that Spark gives to applications that wait for a person."""

T = TypeVar("T")


class _Environment(SparkModel):
    spark_properties: Annotated[list[tuple[str, str]], FailFast()]


_ENVIRONMENT = TypeAdapter(_Environment)


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties that an application sets, None for a property that it does not set.

    ``limit_s``: its limit in seconds; ``max_workers``: its own N; ``endless``: it says that it has
    no limit (``spark.kitwai.timeLimit=none``), or it is one of Spark's shells; ``inputs``: the
    finite numbers under ``spark.kitwai.inputs.``; ``faults``: a sentence for each unreadable
    property; ``shuffle_service``: its executors leave their shuffle files to an external service;
    ``max_cores``: the most cores that it takes, by ``spark.cores.max``, and under dynamic
    allocation by the most executors if their size is set.
    """

    limit_s: float | None = None
    max_workers: int | None = None
    endless: bool = False
    inputs: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    shuffle_service: bool = False
    max_cores: int | None = None


def parse_properties(environment: Answer) -> Properties:
    """The properties that Kitwai reads.

    An unreadable limit is None and is named in ``faults``. So people see it, and the rest of the
    application stays known.
    """
    properties = dict(decode(_ENVIRONMENT, environment).spark_properties)
    faults: list[str] = []

    def read(key: str, parse: Callable[[str], T]) -> T | None:
        if key not in properties:
            return None
        try:
            return parse(properties[key][:100])
        except InvalidInputError as fault:
            faults.append(f"{key} is not used: {fault}")
            return None

    says_none = properties.get(LIMIT_KEY, "").strip().lower() == NO_LIMIT
    shell = (
        properties.get("spark.app.name") in _SHELLS
        or "spark.repl.class.outputDir" in properties
        or "spark.repl.class.uri" in properties
    )
    return Properties(
        limit_s=None if says_none else read(LIMIT_KEY, parse_duration),
        max_workers=read(MAX_WORKERS_KEY, _parse_count),
        # An application with an unreadable limit has a limit.
        endless=says_none or (shell and LIMIT_KEY not in properties),
        inputs=_inputs(properties),
        faults=tuple(faults),
        shuffle_service=_is_set(properties, _SHUFFLE_SERVICE_KEY),
        max_cores=_max_cores(properties),
    )


def _is_set(properties: Mapping[str, str], key: str) -> bool:
    return properties.get(key, "").strip().lower() == "true"


def _max_cores(properties: Mapping[str, str]) -> int | None:
    # An application does not start with a number that Spark cannot read, so none is reported here.
    def count(key: str) -> int | None:
        with suppress(InvalidInputError):
            return _parse_count(properties.get(key, ""))
        return None

    bounds = [count(_MAX_CORES_KEY)]
    if _is_set(properties, "spark.dynamicAllocation.enabled"):
        executors, cores = map(count, _DYNAMIC_KEYS)
        bounds.append(executors * cores if executors and cores else None)
    return min((bound for bound in bounds if bound is not None), default=None)


def _inputs(properties: Mapping[str, str]) -> dict[str, float]:
    inputs: dict[str, float] = {}
    for key, value in properties.items():
        if key.startswith(INPUTS_KEY):
            try:
                number = float(value)
            except ValueError:
                continue
            if math.isfinite(number):
                inputs[key.removeprefix(INPUTS_KEY)] = number
    return inputs


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"\s*0*[1-9][0-9]{0,5}\s*", text):
        raise InvalidInputError(f"{text[:40]!r} is not a whole number of at least 1.")
    return int(text)
