"""``kitwai bench eventlog``: how fast a Spark event log is read."""

from __future__ import annotations

import argparse

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures

_MOST_MB = 3_000
"""A larger log of the benchmark would hold more tasks than a profile may."""


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "eventlog", parents=[with_json()], help="speed and memory of reading a Spark event log"
    )
    parser.add_argument(
        "--mb", type=int, default=1000, help="size before compression (default: %(default)s)"
    )
    parser.add_argument(
        "--codec", choices=("plain", "zstd", "gz"), default="plain", help="default: %(default)s"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.mb <= _MOST_MB:
        raise InvalidInputError(f"--mb must lie in 1..{_MOST_MB}, not be {arguments.mb}.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.event_log import measure_event_log

    console = Console(highlight=False)
    figures = measure_event_log(arguments.mb, arguments.codec, progress=console.print)
    wanted = figures["wanted"]
    table = Table("kitwai profile", "measured", "wanted")
    table.add_row("tasks", f"{figures['tasks']:,}", "-")
    table.add_row("s", f"{figures['wall_s']:.1f}", "-")
    for name, key, sign in (
        ("MB/s a core", "mb_per_s_a_core", "≥"),
        ("MB of memory at most", "peak_mb", "≤"),
    ):
        table.add_row(name, f"{figures[key]:,.0f}", f"{sign} {wanted[key]:g}")
    console.print(table)
    write_figures(arguments.json, figures)
    return 0
