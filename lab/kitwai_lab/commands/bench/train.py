"""``kitwai bench train``: how fast the trainer learns, against others."""

from __future__ import annotations

import argparse

from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "train",
        parents=[with_json()],
        help="the trainer against Stable-Baselines3 and the original's rule, at equal time",
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="for each of them (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not 0 < arguments.seconds < float("inf"):
        raise InvalidInputError(f"--seconds must be a positive time, not {arguments.seconds:g}.")
    if arguments.seed < 0:
        raise InvalidInputError(f"--seed must not be negative, but is {arguments.seed}.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.training import measure_training

    console = Console(highlight=False)
    figures = measure_training(
        arguments.seconds, seed=arguments.seed, progress=lambda name: console.print(f"{name} …")
    )
    table = Table("")
    for heading in ("s", "learnt/s", "steps/s", "hit rate", "cost", "return"):
        table.add_column(heading, justify="right")
    for name, row in {**figures["trainers"], **figures["yardsticks"]}.items():
        if row is None:
            continue
        table.add_row(
            name,
            *(_cell(row.get("seconds"), ".0f"), _cell(row.get("learnt_transitions_per_s"))),
            _cell(row.get("simulated_steps_per_s")),
            *(_cell(row["hit_rate"], ".3f"), _cell(row["static_ratio"], ".3f")),
            _cell(row["return"], ".3f"),
        )
    console.print(table)
    for name, wanted in figures["wanted"].items():
        ratio, better = figures["ratios"][name], figures["better"][name]
        if figures["trainers"][name] is None:
            console.print(f"{name} is not installed: pip install -r requirements-bench.txt")
        elif ratio is not None:
            console.print(
                f"{name}: ours learns from {ratio:,.1f} x as many transitions a second (wanted: "
                f"{wanted:g}) and is {'better' if better else 'not better'} after the same time."
            )
    write_figures(arguments.json, figures)
    return 0


def _cell(value: float | None, form: str = ",.0f") -> str:
    return "-" if value is None else f"{value:{form}}"
