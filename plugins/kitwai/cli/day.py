"""``kitwai day``: compares policies over a simulated day of a shared cluster."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.cli.output import check_writable, write_json
from kitwai.cli.policies import AGENTS, CHAMPION, agent_controller
from kitwai.errors import InvalidInputError

if TYPE_CHECKING:
    from kitwai.sim.arrivals import Day
    from kitwai.sim.day import DayResult
    from kitwai.sim.judging import Controller
    from kitwai.sim.library import Library

ALWAYS = "always-N"
_MARGIN = 0.8
_COLUMNS = {
    "limits_met": "met",
    "worker_hours": "worker h",
    "idle_hours": "idle h",
    "waited_min": "wait",
    "operations": "ops",
    "hours_share": "share",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "day", help="compare policies over a simulated day of a shared cluster"
    )
    parser.add_argument(
        "--profiles",
        type=Path,
        action="append",
        required=True,
        help="folder of application profiles; may be given several times",
    )
    parser.add_argument(
        "--regime", default="recurring", help="a regime of kitwai evaluate (default: %(default)s)"
    )
    parser.add_argument(
        "--models", type=Path, help="folder of the checkpoints (default: the configured one)"
    )
    parser.add_argument("--checkpoint", metavar="V", help="its version (default: the champion)")
    parser.add_argument(
        "--policies",
        help="names separated by commas, as champion,lookahead@0.80 (default: champion and all "
        f"baselines, those with a margin at {_MARGIN:.2f})",
    )
    parser.add_argument(
        "--workers", type=int, default=20, metavar="N", help="of the cluster (default: %(default)s)"
    )
    parser.add_argument("--hours", type=float, default=24.0, help="default: %(default)s")
    parser.add_argument(
        "--rate", type=float, default=16.0, help="applications an hour (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="the results")
    parser.set_defaults(run=_day)


def _day(arguments: argparse.Namespace) -> int:
    if arguments.seed < 0:
        raise InvalidInputError(f"--seed must not be negative, but is {arguments.seed}.")
    if arguments.workers < 1:
        raise InvalidInputError(f"--workers must be at least 1, not {arguments.workers}.")
    check_writable(arguments.json)

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kitwai.core.records.profile import load_profiles
    from kitwai.sim.arrivals import DayConfig, draw_day
    from kitwai.sim.day import best_constant, constant_day, run_day
    from kitwai.sim.library import Library

    config = DayConfig(
        cluster_workers=arguments.workers,
        min_workers=min(DayConfig().min_workers, arguments.workers),
        hours=arguments.hours,
        arrivals_per_hour=arguments.rate,
    )
    profiles = [profile for folder in arguments.profiles for profile in load_profiles(folder)]
    library = Library(profiles)
    controllers = _controllers(arguments, library)
    columns = (
        TextColumn("{task.description}", justify="right"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.0f} h"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with console.status("drawing the day's applications") as status:
        day = draw_day(library, arguments.seed, config, regime=arguments.regime)
        status.update("a constant cluster of N workers")
        always = constant_day(day, config.cluster_workers)
        constant = best_constant(
            day,
            always.limits_met,
            progress=lambda size: status.update(f"a constant cluster of {size} workers"),
        )
    if constant is None:
        raise AssertionError("always-N meets as many limits as itself")
    results: dict[str, DayResult] = {}
    with Progress(*columns, console=console) as bar:
        for name, controller in controllers.items():
            advance = partial(bar.advance, bar.add_task(name, total=config.hours))
            results[name] = run_day(day, controller, progress=advance)
    table = _report(arguments, day, always, constant, results)
    _print(table)
    write_json(arguments.json, table)
    return 0


def _controllers(arguments: argparse.Namespace, library: Library) -> dict[str, Controller]:
    """The requested policies by name, Kitwai's own first."""
    from kitwai.sim.baselines import NAMES, make

    names = [CHAMPION, *NAMES]
    if arguments.policies is not None:
        names = [name.strip() for name in arguments.policies.split(",")]
    agents = {
        name: agent_controller(name, arguments.models, arguments.checkpoint)
        for name in names
        if name in AGENTS
    }
    baselines = make([name for name in names if name not in AGENTS], margins=(_MARGIN,))
    return {**agents, **baselines}


def _report(
    arguments: argparse.Namespace,
    day: Day,
    always: DayResult,
    constant: tuple[int, Any, DayResult],
    results: dict[str, DayResult],
) -> dict[str, Any]:
    from kitwai.sim.day import wins

    size, sharing, fewest = constant
    return {
        "day": {
            "seed": arguments.seed,
            "regime": arguments.regime,
            "workers": day.config.cluster_workers,
            "hours": day.config.hours,
            "applications": len(day),
            "feasible": int(day.feasible.sum()),
        },
        "constant": {
            ALWAYS: {**always.summary(), "workers": day.config.cluster_workers, "sharing": "fair"},
            "fewest": {**fewest.summary(), "workers": size, "sharing": sharing.value},
        },
        "policies": {
            name: {
                **result.summary(),
                "limits_share": round(result.limits_met / max(1, always.limits_met), 4),
                "hours_share": round(result.worker_hours / fewest.worker_hours, 4),
                "wins": wins(result, always, fewest),
            }
            for name, result in results.items()
        },
    }


def _print(report: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    day, constant = report["day"], report["constant"]
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title=f"{day['hours']:g} h, {day['applications']} applications ({day['feasible']} feasible "
        f"alone), at most {day['workers']} workers, {day['regime']}",
        caption="share: of the constant cluster's worker-hours; wait: mean minutes",
    )
    for name in ("policy", *_COLUMNS.values(), "wins"):
        left: Any = "left" if name == "policy" else "right"
        table.add_column(name, justify=left, no_wrap=True)
    for row in constant.values():
        row = {**row, "hours_share": row["worker_hours"] / constant["fewest"]["worker_hours"]}
        table.add_row(f"constant {row['workers']}, {row['sharing']}", *_cells(row), "")
    table.add_section()
    order = sorted(
        report["policies"].items(),
        key=lambda item: (item[0] != CHAMPION, -item[1]["limits_met"], item[1]["worker_hours"]),
    )
    for name, row in order:
        style = "bold" if name == CHAMPION else None
        table.add_row(name, *_cells(row), "yes" if row["wins"] else "no", style=style)
    Console().print(table)


def _cells(row: dict[str, Any]) -> list[str]:
    values = [row[column] for column in _COLUMNS]
    return [
        str(value) if isinstance(value, int) else f"{value:.{1 if value >= 10 else 2}f}"
        for value in values
    ]
