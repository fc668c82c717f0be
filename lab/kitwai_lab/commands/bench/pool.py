"""``kitwai bench pool``: how soon workers come and go, and what a job loses by it."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures

if TYPE_CHECKING:
    from rich.table import Table

    from kitwai_lab.bench.pool import Leaving, Scaling
    from kitwai_lab.bench.pool_cluster import PoolCluster


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "pool",
        parents=[with_json()],
        help="how soon workers of a pool come and go, and what a job loses when they go",
    )
    parser.add_argument("--pool", choices=("local", "docker", "swarm"), default="docker")
    parser.add_argument(
        "--workers", type=int, default=10, help="1 to so many and back (default: %(default)s)"
    )
    parser.add_argument(
        "--leaving",
        action="store_true",
        help="also take five of six workers from a job that shuffles, drained and killed",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        default=100,
        help="tasks of that job's first stage; it has five more of half as many "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--shuffle-service",
        action="store_true",
        help="that job's executors leave their shuffle files to Spark's external shuffle service",
    )
    parser.add_argument(
        "--docker-url", default="unix:///var/run/docker.sock", help="default: %(default)s"
    )
    parser.add_argument("--image", default="kitwai-engine", help="default: %(default)s")
    parser.add_argument("--network", default="kitwai", help="default: %(default)s")
    parser.set_defaults(run=_run)


def _cluster(
    arguments: argparse.Namespace, stack: contextlib.ExitStack
) -> AbstractContextManager[PoolCluster]:
    from kitwai_lab.bench.pool_cluster import container_cluster, local_cluster

    if arguments.pool == "local":
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kitwai-bench-"))
        return local_cluster(Path(folder), shuffle_service=arguments.shuffle_service)
    return container_cluster(
        arguments.pool,
        arguments.docker_url,
        arguments.image,
        arguments.network,
        shuffle_service=arguments.shuffle_service,
    )


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from kitwai_lab.bench.pool import measure_leaving, measure_scaling

    if arguments.workers < 2:
        raise InvalidInputError(f"--workers must be at least 2, not {arguments.workers}.")
    if arguments.tasks < 10:
        raise InvalidInputError(f"--tasks must be at least 10, not {arguments.tasks}.")
    console = Console(highlight=False)
    leavings: list[Leaving] = []
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(_cluster(arguments, stack))
        scaling = measure_scaling(cluster, arguments.workers)
        console.print(_scaling_table(arguments.pool, scaling))
        if arguments.leaving:
            leavings = [
                measure_leaving(cluster, how, size=arguments.tasks, progress=console.print)
                for how in ("drained", "killed")
            ]
            console.print(_leaving_table(leavings))
    figures = {
        "pool": arguments.pool,
        "scaling": asdict(scaling),
        "shuffle_service": arguments.shuffle_service,
        "leaving": [asdict(leaving) for leaving in leavings],
    }
    write_figures(arguments.json, figures)
    return 0


def _scaling_table(pool: str, scaling: Scaling) -> Table:
    from rich.table import Table

    table = Table(f"{pool}: 1 to {scaling.workers} and back", "median s", "most s")
    for name, seconds in (
        ("start to registration", scaling.registration_s),
        ("order to leave to end", scaling.drain_s),
    ):
        table.add_row(name, f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}")
    for name, total_s in (
        ("out, all", scaling.out_s),
        ("in, all", scaling.in_s),
        ("longest single call", scaling.longest_call_s),
    ):
        table.add_row(name, f"{total_s:.1f}", "")
    return table


def _leaving_table(leavings: list[Leaving]) -> Table:
    from rich.table import Table

    table = Table(
        *("workers", "left", "right result", "s", "failed tasks", "fetch failures"),
        *("retried stages", "recomputed tasks", "of tasks"),
    )
    for leaving in leavings:
        losses = leaving.losses
        counts: tuple[object, ...] = ("",) * 5
        if losses is not None:
            counts = (
                *(losses.failed_tasks, losses.fetch_failures, losses.retried_stages),
                *(losses.recomputed_tasks, losses.tasks),
            )
        table.add_row(
            *(leaving.how, str(leaving.left), "yes" if leaving.finished else "no"),
            *(f"{leaving.seconds:.0f}", *map(str, counts)),
        )
    return table
