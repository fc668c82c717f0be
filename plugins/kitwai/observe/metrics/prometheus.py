"""Reads node metrics from Prometheus' HTTP API, with the metric names of node-exporter.

One instant query asks for all metrics, each under a label of its own. CPU shares and network rates
are Prometheus' `rate` over a window, which must hold at least two scrapes. A node that was not
scraped in time is not in the answer and stays missing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, FailFast, TypeAdapter

from kitwai.config.metrics import MetricsConfig
from kitwai.config.metrics.prometheus import PrometheusSettings
from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.http import Answer, decode, get, open_client
from kitwai.observe.metrics.source import MetricSource, Node

_LABEL = "kitwai_metric"
_TIMEOUT_S = 10.0  # the observation's own deadline is sooner


class _Sample(BaseModel):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(BaseModel):
    resultType: str
    result: Annotated[list[_Sample], FailFast()]


class _Answer(BaseModel):
    status: str
    data: _Data


_ANSWER = TypeAdapter(_Answer)


def query(matcher: str | None = None, window_s: float = 60.0) -> str:
    """The PromQL that asks for every metric of every node.

    :param matcher: further label matchers, such as ``job="node",cluster="a"``.
    """
    window = f"[{max(1, round(window_s))}s]"

    def select(name: str, *matchers: str) -> str:
        return f"{name}{{{','.join(filter(None, (*matchers, matcher)))}}}"

    def by_node(aggregate: str, expression: str) -> str:
        return f"{aggregate} by (instance) ({expression})"

    def cpu(modes: str) -> str:
        used = select("node_cpu_seconds_total", f'mode=~"{modes}"')
        every = select("node_cpu_seconds_total")
        return (
            f"{by_node('sum', f'rate({used}{window})')}"
            f" / {by_node('sum', f'rate({every}{window})')}"
        )

    def network(name: str) -> str:
        received = select(name, 'device!="lo"')
        return by_node("sum", f"rate({received}{window})")

    total = select("node_memory_MemTotal_bytes")
    used = f"1 - {select('node_memory_MemAvailable_bytes')} / {total}"
    expressions = {
        "cpu_user": cpu("user|nice"),
        "cpu_system": cpu("system|irq|softirq"),
        "cores": by_node("count", select("node_cpu_seconds_total", 'mode="idle"')),
        "net_in": network("node_network_receive_bytes_total"),
        "net_out": network("node_network_transmit_bytes_total"),
        "memory": by_node("max", used),
        "memory_bytes": by_node("max", total),
    }
    return " or ".join(
        f'label_replace({expression}, "{_LABEL}", "{name}", "", "")'
        for name, expression in expressions.items()
    )


async def read_prometheus(
    url: str, *, matcher: str | None = None, window_s: float = 60.0
) -> tuple[Node, ...]:
    """The nodes that were scraped within the window.

    :param url: Prometheus' address, ``http://host:9090``; credentials in it are used, never shown.
    :raises SourceError: no answer, or none that makes sense.
    """
    asked = urlencode({"query": query(matcher, window_s)})
    async with open_client() as client:
        answer = await get(client, f"{url.rstrip('/')}/api/v1/query?{asked}", timeout_s=_TIMEOUT_S)
    return parse(answer)


def make_source(config: MetricsConfig[PrometheusSettings]) -> MetricSource:
    """The source of a connection with metrics ``prometheus``."""
    settings = config.settings
    return partial(
        read_prometheus,
        settings.metrics_address or "",
        matcher=settings.metrics_filter,
        window_s=settings.metrics_window,
    )


def parse(answer: Answer) -> tuple[Node, ...]:
    """The nodes of an answer to `query`. :raises SourceError: it is not one."""
    decoded = decode(_ANSWER, answer)
    if decoded.status != "success" or decoded.data.resultType != "vector":
        raise SourceError(f"{answer.url} did not answer the query with a vector.")
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for sample in decoded.data.result:
        instance, name = sample.metric.get("instance"), sample.metric.get(_LABEL)
        value = _number(sample.value[1])
        if instance and name and value is not None:
            values[instance][name] = value
    if not values:
        raise SourceError(
            f"{answer.url} has no node-exporter metrics of the last minutes: check its targets, "
            "metrics_filter and metrics_window."
        )
    return tuple(_node(instance, found) for instance, found in values.items())


def _node(instance: str, values: dict[str, float]) -> Node:
    host = instance.rpartition(":")[0] or instance

    def share(name: str) -> float | None:
        value = values.get(name)
        return min(1.0, value) if value is not None and value <= 1.01 else None

    return Node(
        names=frozenset({instance, host.strip("[]")}),
        cores=values.get("cores"),
        memory_bytes=values.get("memory_bytes"),
        metrics=HostMetrics(
            cpu_user=share("cpu_user"),
            cpu_system=share("cpu_system"),
            net_in=values.get("net_in"),
            net_out=values.get("net_out"),
            memory=share("memory"),
        ),
    )


def _number(text: str) -> float | None:
    """A sample's value; NaN (0/0 of a counter that stands still) and infinities are none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
