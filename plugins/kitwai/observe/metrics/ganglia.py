"""Reads Ganglia's XML over TCP, which gmond (port 8649) and gmetad (8651) write to every client.

The XML may be hostile. So expat reads it piece by piece, and a document that declares an entity,
nests deeply or is too long is refused. Ganglia's own document has an inline DTD of elements and
attributes alone. CPU is in percent, network in bytes/s, memory in KB.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass, field
from functools import partial

# It streams, and each declaration can be refused. defusedxml does the same with this parser.
from xml.parsers import expat

from kitwai.config.metrics import MetricsConfig
from kitwai.config.metrics.ganglia import GangliaSettings
from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.metrics.source import MetricSource, Node

MAX_BYTES = 16 * 1024 * 1024
"""Most bytes of a document: about two thousand hosts."""

_MAX_DEPTH = 16
_CONNECT_TIMEOUT_S = 1.0
_STALE = 4
"""A host or metric is gone when it is silent for so many times its TMAX, as in gmetad."""

_CPU = ("cpu_user", "cpu_nice", "cpu_system", "cpu_num")
_MEMORY = ("mem_total", "mem_free", "mem_buffers", "mem_cached")
_WANTED = frozenset((*_CPU, *_MEMORY, "bytes_in", "bytes_out"))


async def read_ganglia(
    host: str, port: int, *, cluster: str | None = None, max_bytes: int = MAX_BYTES
) -> tuple[Node, ...]:
    """The hosts that report now. The caller bounds the time.

    :param cluster: read only the cluster with this name; None: all clusters.
    :raises SourceError: there is no answer, or it is not Ganglia's.
    """
    shown = f"Ganglia at {host}:{port}"
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, ValueError) as fault:
        raise SourceError(f"{shown} cannot be connected to: {_text(fault)}.") from fault
    parser = GangliaParser(shown, cluster)
    left = max_bytes
    try:
        while data := await reader.read(64 * 1024):
            left -= len(data)
            if left < 0:
                raise SourceError(f"{shown} wrote more than {max_bytes} bytes and was cut off.")
            parser.feed(data)
            # A stream that is always ready must not keep the other sources waiting.
            await asyncio.sleep(0)
        return parser.close()
    except OSError as fault:
        raise SourceError(f"{shown} broke the connection off: {_text(fault)}.") from fault
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            writer.transport.abort()


def make_source(config: MetricsConfig[GangliaSettings]) -> MetricSource:
    """The source of a connection with metrics ``ganglia``."""
    host, port = config.settings.address
    return partial(read_ganglia, host, port, cluster=config.settings.metrics_filter)


@dataclass(slots=True)
class _Host:
    names: frozenset[str]
    values: dict[str, float] = field(default_factory=dict)


class GangliaParser:
    """Makes `Node` objects of a document that comes in pieces."""

    def __init__(self, shown: str, cluster: str | None = None) -> None:
        """:param shown: name of the document in messages."""
        self._shown = shown
        self._wanted_cluster = cluster
        self._cluster: str | None = None
        self._clusters: set[str] = set()
        self._depth = 0
        self._host: _Host | None = None
        self._nodes: list[Node] = []
        self._is_ganglia = False
        self._parser = expat.ParserCreate()
        self._parser.specified_attributes = True  # a DTD's default is nobody's measurement
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, data: bytes) -> None:
        """Read on. :raises SourceError: the document is not Ganglia's, or hostile."""
        self._parse(data, last=False)

    def close(self) -> tuple[Node, ...]:
        """The nodes of the whole document. :raises SourceError: as `feed`, or it has no end."""
        self._parse(b"", last=True)
        if self._wanted_cluster is not None and self._wanted_cluster not in self._clusters:
            raise SourceError(
                f"{self._shown} knows no cluster {self._wanted_cluster!r}: name one it knows."
            )
        if not self._nodes:
            raise SourceError(f"{self._shown} names no host that reports.")
        return tuple(self._nodes)

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except (expat.ExpatError, ValueError, LookupError) as fault:
            raise SourceError(f"{self._shown} wrote no XML: {_text(fault)}.") from None

    def _refuse_entity(self, *_: object) -> None:
        raise SourceError(f"{self._shown} declares an XML entity, which Ganglia never does.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH or (self._depth == 1 and name != "GANGLIA_XML"):
            raise SourceError(f"{self._shown} wrote XML that is not Ganglia's.")
        if name == "CLUSTER":
            self._cluster = attributes.get("NAME")
            self._clusters.add(str(self._cluster))
        elif name == "HOST":
            wanted = self._wanted_cluster in (None, self._cluster)
            names = {attributes[key] for key in ("NAME", "IP") if attributes.get(key)}
            self._host = _Host(frozenset(names)) if wanted and _reports(attributes) else None
        elif name == "METRIC" and self._host is not None:
            metric = attributes.get("NAME", "")
            value = _number(attributes.get("VAL"))
            if metric in _WANTED and value is not None and value >= 0 and _reports(attributes):
                self._host.values[metric] = value

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "HOST" and self._host is not None:
            self._nodes.append(_node(self._host))
            self._host = None


def _node(host: _Host) -> Node:
    values = host.values
    user, nice = _share(values.get("cpu_user")), _share(values.get("cpu_nice"))
    total, free = values.get("mem_total"), values.get("mem_free")
    memory = None
    if total and free is not None:
        free += values.get("mem_buffers", 0.0) + values.get("mem_cached", 0.0)
        memory = min(1.0, max(0.0, 1.0 - free / total))
    return Node(
        names=host.names,
        cores=values.get("cpu_num"),
        memory_bytes=None if total is None else total * 1024,
        metrics=HostMetrics(
            cpu_user=None if user is None else min(1.0, user + (nice or 0.0)),
            cpu_system=_share(values.get("cpu_system")),
            net_in=values.get("bytes_in"),
            net_out=values.get("bytes_out"),
            memory=memory,
        ),
    )


def _share(percent: float | None) -> float | None:
    return percent / 100.0 if percent is not None and percent <= 100.5 else None


def _reports(attributes: dict[str, str]) -> bool:
    """Whether a host or metric has reported lately. Without an age it counts as reporting."""
    age, most = _number(attributes.get("TN")), _number(attributes.get("TMAX"))
    return age is None or most is None or most <= 0 or age <= _STALE * most


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None and len(text) < 50 else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(fault: BaseException) -> str:
    return str(fault).rstrip(".") or type(fault).__name__
