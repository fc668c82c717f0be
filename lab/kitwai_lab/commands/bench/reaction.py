"""``kitwai bench reaction``: how soon the loop acts and how long it looks away, by schedule."""

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
        "reaction",
        parents=[with_json()],
        help="time from a change to an action, and between looks, by schedule",
    )
    parser.add_argument(
        "--steps",
        default="15s,@continuous",
        help="schedules, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--changes", type=int, default=6, help="under each schedule (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check_at_least_one(arguments, "changes")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.look_gap import DRAINING, STARTING
    from kitwai_lab.bench.reaction import measure_reaction

    console = Console(highlight=False)
    table = Table(
        "schedule", "changes", "median s", "fastest s", "slowest s", "CPU s/min", "steps/min"
    )
    gaps = Table("schedule", "while", "looks", "longest gap s", "until done s")
    figures = {}
    for step in arguments.steps.split(","):
        reaction = measure_reaction(
            step.strip(),
            arguments.changes,
            progress=lambda step, seconds: console.print(f"{step}: {seconds:.1f} s"),
        )
        look_gap = reaction.look_gap
        figures[reaction.step] = {
            **asdict(reaction),
            "median_s": reaction.median_s,
            "longest_look_gap_s": look_gap.most_s,
        }
        table.add_row(
            reaction.step,
            str(len(reaction.reaction_s)),
            *spread(reaction.reaction_s),
            f"{reaction.cpu_s_per_minute:.1f}",
            f"{reaction.steps_per_minute:.1f}",
        )
        for what, gaps_s, done_s in (
            (f"{STARTING} workers start", look_gap.starting_s, look_gap.started_within_s),
            (f"{DRAINING} workers drain", look_gap.draining_s, look_gap.drained_within_s),
        ):
            gaps.add_row(
                reaction.step, what, str(len(gaps_s) + 1), f"{max(gaps_s):.1f}", f"{done_s:.1f}"
            )
    console.print(table)
    console.print(gaps)
    write_figures(arguments.json, figures)
    return 0
