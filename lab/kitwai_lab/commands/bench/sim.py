"""``kitwai bench sim``: how fast the simulator steps and a policy decides."""

from __future__ import annotations

import argparse

from kitwai_lab.commands.bench.options import (
    Benchmarks,
    check_at_least_one,
    with_json,
    write_figures,
)


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "sim", parents=[with_json()], help="speed of the simulator and of decisions"
    )
    parser.add_argument(
        "--episodes", type=int, default=2048, help="side by side (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check_at_least_one(arguments, "episodes")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.simulation import measure_simulation

    figures = measure_simulation(episodes=arguments.episodes)
    wanted, batch = figures["wanted"], figures["batch"]
    table = Table("", "median", "95 %", "wanted")
    for threads, key in (
        (f"{figures['threads']} threads", "steps_per_s"),
        ("1 thread", "steps_per_s_of_one_thread"),
    ):
        table.add_row(
            f"decision steps simulated a second, {threads}",
            *(f"{figures[key]:,.0f}", "-", f"≥ {wanted['steps_per_s']:,.0f}"),
        )
    for name, times in figures["policies"].items():
        for what, key in (("a decision", "decision_ms"), (f"{batch:,} at once", "batch_ms")):
            table.add_row(
                f"{name}: ms for {what}",
                *(f"{times[key]['median']:.2f}", f"{times[key]['p95']:.2f}"),
                f"≤ {wanted[key]:g}",
            )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{figures['episodes']} episodes side by side; "
        f"{figures['decisions']} decisions of one application."
    )
    write_figures(arguments.json, figures)
    return 0
