"""``kitwai bench step``: what a step costs beside an empty DAG."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from kitwai_lab.commands.bench.options import (
    Benchmarks,
    check_at_least_one,
    spread,
    with_json,
    write_figures,
)


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "step", parents=[with_json()], help="wall time of a step against an empty three-task DAG"
    )
    parser.add_argument("--runs", type=int, default=10, help="of each DAG (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check_at_least_one(arguments, "runs")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.step import measure_step

    console = Console(highlight=False)
    times = measure_step(
        arguments.runs, progress=lambda dag, seconds: console.print(f"{dag}: {seconds:.2f} s")
    )
    table = Table("DAG of three tasks", "runs", "median s", "fastest s", "slowest s")
    for name, seconds in (("empty", times.empty_s), ("kitwai_autoscale", times.step_s)):
        table.add_row(name, str(len(seconds)), *spread(seconds))
    console.print(table)
    console.print(f"A step takes {times.ratio:.2f} x the time of an empty DAG.")
    write_figures(arguments.json, {**asdict(times), "ratio": times.ratio})
    return 0
