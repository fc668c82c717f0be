"""``kitwai bench api``: how soon the API answers while steps run."""

from __future__ import annotations

import argparse

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures

_WANTED_S = 0.1


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "api",
        parents=[with_json()],
        help="time of the API's answers over a day of records, under load",
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of asking (default: %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=20.0, help="requests a second (default: %(default)s)"
    )
    parser.add_argument(
        "--hours", type=float, default=24.0, help="of records, a step each 15 s (default: 24)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.api import measure_api

    for name, most in (("seconds", 3600), ("rate", 1000), ("hours", 24 * 30)):
        if not 0 < getattr(arguments, name) <= most:
            raise InvalidInputError(f"--{name} must lie above 0 and at most at {most}.")
    console = Console(highlight=False)
    times = measure_api(arguments.seconds, arguments.rate, arguments.hours, console.print)
    table = Table("GET", "requests", "failed", "median ms", "p95 ms", "max ms", "KiB")
    for route in (*times.routes, times.all):
        table.add_row(
            route.route,
            str(route.requests),
            str(route.failed),
            *(f"{1000 * seconds:.0f}" for seconds in (route.median_s, route.p95_s, route.max_s)),
            f"{route.bytes / 1024:.1f}",
        )
    console.print(table)
    console.print(
        f"p95 of all: {1000 * times.all.p95_s:.0f} ms at {arguments.rate:g} requests a second "
        f"(wanted: {1000 * _WANTED_S:.0f} ms), while {times.steps} steps of 3 clusters ended."
    )
    write_figures(arguments.json, times.to_dict())
    return 0
