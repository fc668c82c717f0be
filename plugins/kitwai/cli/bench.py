"""``kitwai bench``: figures of the product, each against a yardstick measured in the same run."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

TARGET_RATIO = 1.5
"""A step may take this many times an empty three-task DAG."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand with its own subcommands."""
    parser = subparsers.add_parser("bench", help="measure Kitwai on this machine")
    benches = parser.add_subparsers(required=True, metavar="BENCH")
    step = benches.add_parser("step", help="a step against an empty three-task DAG")
    step.add_argument("--rounds", type=int, default=10, help="runs of each (default: %(default)s)")
    step.set_defaults(run=_step)
    reaction = benches.add_parser("reaction", help="time from a change to the scaling action")
    reaction.add_argument(
        "--steps", default="15s,@continuous", help="schedules to compare (default: %(default)s)"
    )
    reaction.add_argument(
        "--rounds", type=int, default=6, help="changes under each (default: %(default)s)"
    )
    reaction.set_defaults(run=_reaction)
    for one in (step, reaction):
        one.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def _step(arguments: argparse.Namespace) -> int:
    from kitwai.bench.step import bench_step

    times = bench_step(arguments.rounds, _counter("rounds"))
    rows = [
        ("empty three-task DAG", times.empty_s),
        ("a step of kitwai_autoscale", times.step_s),
    ]
    _table(
        f"A step takes {times.ratio:.2f} x an empty three-task DAG (at most {TARGET_RATIO})",
        ("", "median s", "least s", "most s", "runs"),
        [
            (name, f"{statistics.median(s):.2f}", f"{min(s):.2f}", f"{max(s):.2f}", str(len(s)))
            for name, s in rows
        ],
    )
    _write(arguments.json, {"empty_s": times.empty_s, "step_s": times.step_s, "ratio": times.ratio})
    return 0 if times.ratio <= TARGET_RATIO else 1


def _reaction(arguments: argparse.Namespace) -> int:
    import dataclasses

    from kitwai.bench.reaction import bench_reaction

    found = [
        bench_reaction(step, arguments.rounds, progress=_counter(step))
        for step in arguments.steps.split(",")
    ]
    _table(
        "From a lost worker to the launch of its replacement",
        ("step", "median s", "most s", "between decisions s", "Airflow's CPU s a minute"),
        [
            (
                one.step,
                f"{one.median_s:.1f}",
                f"{max(one.reaction_s):.1f}",
                f"{one.interval_s:.1f}",
                f"{one.cpu_s_per_minute:.0f}",
            )
            for one in found
        ],
    )
    _write(arguments.json, [dataclasses.asdict(one) for one in found])
    return 0


def _counter(what: str) -> Any:
    from rich.console import Console

    console = Console(stderr=True)
    return lambda done: console.print(f"{what}: {done} done", highlight=False)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _write(path: Path | None, value: object) -> None:
    if path is not None:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
