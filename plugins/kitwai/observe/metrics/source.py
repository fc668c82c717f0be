"""What a metric source gives, and how the cluster's metrics are made of it.

A source is a function without arguments that reads some nodes' metrics once (`MetricSource`). CPU
and memory of the cluster are those of its workers' nodes, the network is the master node's. What a
source does not tell stays None.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from kitwai.core.records.observation import HostMetrics


@dataclass(frozen=True, slots=True)
class Node:
    """One machine's metrics. ``names``: its names and addresses; ``cores`` and ``memory_bytes``:
    its size, by which it counts among others, None where it is not told.
    """

    names: frozenset[str]
    metrics: HostMetrics
    cores: float | None = None
    memory_bytes: float | None = None


MetricSource = Callable[[], Awaitable[tuple[Node, ...]]]
"""Reads every node it knows. :raises SourceError: it gave no answer, or none that makes sense."""


def over_cluster(nodes: Iterable[Node], workers: Iterable[str], master: str) -> HostMetrics:
    """The cluster's metrics.

    :param workers: addresses of the workers. Where no node bears one of them (several workers on
        one machine have addresses of their own) every node counts as a worker's.
    :param master: name or address of the master's node; a single node is the master's, whatever
        its name.
    """
    known = tuple(nodes)
    wanted = {_plain(one) for one in workers}
    of_workers = tuple(node for node in known if _names(node) & wanted) or known
    of_master = [node for node in known if _plain(master) in _names(node)] or (
        list(known) if len(known) == 1 else []
    )
    network = of_master[0].metrics if of_master else HostMetrics()
    return HostMetrics(
        cpu_user=_mean((node.metrics.cpu_user, node.cores) for node in of_workers),
        cpu_system=_mean((node.metrics.cpu_system, node.cores) for node in of_workers),
        net_in=network.net_in,
        net_out=network.net_out,
        memory=_mean((node.metrics.memory, node.memory_bytes) for node in of_workers),
    )


def _mean(shares: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The mean over what is known, by size where every size is known."""
    known = [(share, size) for share, size in shares if share is not None]
    if not known:
        return None
    if all(size is not None and size > 0 for _, size in known):
        return sum(share * size for share, size in known if size) / sum(
            size for _, size in known if size
        )
    return sum(share for share, _ in known) / len(known)


def _plain(name: str) -> str:
    return name.strip().rstrip(".").lower()


def _names(node: Node) -> set[str]:
    """The node's names, also without their domain."""
    names = {_plain(name) for name in node.names}
    return names | {name.partition(".")[0] for name in names if not name.replace(".", "").isdigit()}
