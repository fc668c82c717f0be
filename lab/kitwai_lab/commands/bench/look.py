"""``kitwai bench look``: a look at applications with stages of 10,000 tasks."""

from __future__ import annotations

import argparse

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "look", parents=[with_json()], help="a look at applications with long lists of tasks"
    )
    parser.add_argument("--looks", type=int, default=5, help="measured (default: %(default)s)")
    parser.add_argument(
        "--new",
        type=int,
        default=300,
        help="tasks that each stage finishes between two looks (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.looks <= 30:
        raise InvalidInputError("--looks must lie in 1..30.")
    if not 1 <= arguments.new <= 10_000:
        raise InvalidInputError("--new must lie in 1..10000.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.look import figures_of, measure_looks, wanted

    looks = [
        one
        for applications in (1, 20)
        for one in measure_looks(applications, arguments.new, arguments.looks)
    ]
    table = Table("applications", "", "told by", "median s", "CPU s", "wanted s", "MB", "wanted MB")
    for one in looks:
        most_s, most_mb = wanted(one.applications)
        table.add_row(
            *(f"{one.applications}", one.name, one.told),
            *(f"{one.median_s:.3f}", f"{one.median_cpu_s:.3f}", f"≤ {most_s:g}"),
            *(f"{one.mb:.2f}", f"≤ {most_mb:g}"),
        )
    Console(highlight=False).print(table)
    write_figures(arguments.json, {"looks": figures_of(looks)})
    return 0
