"""``kitwai bench calibrate``: the simulator's constants, measured on real Spark."""

from __future__ import annotations

import argparse

from kitwai.cli.output import check_writable, result_file
from kitwai_lab.commands.bench.options import Benchmarks, check_at_least_one, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "calibrate", help="the simulator's constants, measured on a real Spark cluster"
    )
    parser.add_argument(
        "--json",
        type=result_file,
        help="write them to this file (default: where the simulator reads them)",
    )
    parser.add_argument(
        "--repeats", type=int, default=2, help="of every measurement (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check_at_least_one(arguments, "repeats")

    from rich.console import Console
    from rich.table import Table

    from kitwai.sim.constants import MEASURED
    from kitwai_lab.bench.calibrate import calibrate

    check_writable(arguments.json or MEASURED)
    console = Console(highlight=False)
    figures = calibrate(arguments.repeats, progress=console.print)
    table = Table("constant", "median s", "p10 s", "p90 s", "samples")
    for name, constant in figures["constants"].items():
        seconds = (f"{constant[key]:.3f}" for key in ("median", "p10", "p90"))
        table.add_row(name, *seconds, str(constant["count"]))
    console.print(table)
    write_figures(arguments.json or MEASURED, figures)
    return 0
