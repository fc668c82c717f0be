"""``kitwai bench log``: how fast a driver's log is counted."""

from __future__ import annotations

import argparse

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "log", parents=[with_json()], help="speed and memory of counting a driver's log"
    )
    parser.add_argument(
        "--megabytes", type=float, default=1000.0, help="of each layout (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.megabytes <= 100_000:
        raise InvalidInputError(f"--megabytes must lie in 1..100000, not {arguments.megabytes:g}.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.driver_log import measure_log

    figures = measure_log(round(arguments.megabytes * 1e6))
    table = Table("layout", "MB", "lines", "MB/s of a core", "wanted", "memory grew by MB")
    for name, layout in figures["layouts"].items():
        table.add_row(
            name,
            *(f"{layout['mb']:,.0f}", f"{layout['lines']:,}", f"{layout['mb_per_cpu_s']:.0f}"),
            *(f"≥ {figures['wanted_mb_per_s']:.0f}", f"{layout['memory_growth_mb']:.1f}"),
        )
    Console(highlight=False).print(table)
    write_figures(arguments.json, figures)
    return 0
