"""``kitwai bench train-dag``: what a run of the training DAG takes."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "train-dag",
        parents=[with_json()],
        help="a run of the training DAG, and Airflow's share of it",
    )
    parser.add_argument(
        "--applications", type=int, default=20, help="of its day (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from kitwai_lab.bench.train_dag import measure_train_dag

    if not 1 <= arguments.applications <= 1000:
        raise InvalidInputError(
            f"--applications must lie in 1..1000, not be {arguments.applications}."
        )
    console = Console(highlight=False)
    times = measure_train_dag(arguments.applications, console.print)
    for name, seconds in times.tasks.items():
        console.print(f"{name}: {seconds:.1f} s")
    console.print(
        f"The run took {times.wall_s:.1f} s, {times.overhead:.0%} of it Airflow's. {times.verdict}"
    )
    write_figures(arguments.json, {**asdict(times), "overhead": times.overhead})
    return 0
