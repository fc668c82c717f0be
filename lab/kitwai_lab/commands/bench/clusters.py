"""``kitwai bench clusters``: how long a round of steps on many clusters takes."""

from __future__ import annotations

import argparse
import statistics
from dataclasses import asdict

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "clusters", parents=[with_json()], help="a round of steps on many clusters, on Postgres"
    )
    parser.add_argument("--clusters", type=int, default=50, help="simulated (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="measured (default: %(default)s)")
    parser.add_argument(
        "--per-task",
        type=int,
        default=25,
        help="[kitwai] clusters_per_task; 1: three tasks a cluster (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    for name in ("clusters", "rounds"):
        if not 1 <= getattr(arguments, name) <= 1000:
            raise InvalidInputError(f"--{name} must lie in 1..1000.")
    if not 1 <= arguments.per_task <= 100:
        raise InvalidInputError("--per-task must lie in 1..100.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.clusters import measure_clusters

    console = Console(highlight=False)
    rounds = measure_clusters(
        arguments.clusters, arguments.rounds, arguments.per_task, console.print
    )
    seconds = rounds.round_s
    table = Table("", "median s", "fastest s", "slowest s")
    table.add_row(
        f"a round on {rounds.clusters} clusters",
        *(f"{cell:.1f}" for cell in (statistics.median(seconds), min(seconds), max(seconds))),
    )
    for part, median in rounds.task_s.items():
        table.add_row(f"one {part} task", f"{median:.2f}", "", "")
    console.print(table)
    console.print(f"{rounds.tasks} tasks a round, {rounds.decisions_per_s:.1f} decisions a second.")
    write_figures(arguments.json, {**asdict(rounds), "decisions_per_s": rounds.decisions_per_s})
    return 0
