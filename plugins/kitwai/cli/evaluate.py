"""``kitwai evaluate``: compares the champion and the baselines on the same simulated episodes."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.cli.output import check_writable, write_json
from kitwai.cli.policies import AGENTS, CHAMPION, agent_controller
from kitwai.core.records.grid import parse_grid
from kitwai.errors import InvalidInputError

if TYPE_CHECKING:
    from rich.console import Console

    from kitwai.sim.frontier import Verdict
    from kitwai.sim.judging import Controller, Judge, Judgement, Outcome
    from kitwai.sim.library import Ints, Library

    Maker = Callable[[Judge, Ints], Controller]

BEST_STATIC = "best-static"
_HINDSIGHT = (BEST_STATIC, "oracle")
_PARTS, _LEAST_PART = 8, 100
_COLUMNS = {
    "hit_rate": "hits",
    "static_ratio": "ratio",
    "p95_static_ratio": "p95",
    "cvs_min": "late",
    "lateness": "vs N",
    "ops_per_episode": "ops",
    "worker_hours": "hours",
}
"""Fields of a `Judgement` and their headings. The table fits a terminal of 80 columns."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate", help="compare the champion and the baselines in the simulator"
    )
    parser.add_argument(
        "--profiles", type=Path, required=True, help="folder of application profiles"
    )
    parser.add_argument(
        "--regime",
        help="some of recurring, new, disturbed, messy, messy-new, separated by commas "
        "(default: all)",
    )
    parser.add_argument(
        "--models", type=Path, help="folder of the checkpoints (default: the configured one)"
    )
    parser.add_argument("--checkpoint", metavar="V", help="its version (default: the champion)")
    parser.add_argument(
        "--policies",
        help="names separated by commas, as champion,lookahead,remaining-work@0.80,static@3 "
        "(default: champion and all baselines)",
    )
    parser.add_argument(
        "--grid",
        default="N=1..10,T=5..10m",
        help="the constraints, as N=4,7,10,T=5m,7m,300s (default: %(default)s)",
    )
    parser.add_argument(
        "--miss",
        type=float,
        default=0.01,
        help="the stated miss probability of every constraint (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="cost against hit rate as a picture"
    )
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="the results")
    parser.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    regimes = _regimes(arguments.regime)
    workers, limits_s = parse_grid(arguments.grid)
    if arguments.seed < 0:
        raise InvalidInputError(f"--seed must not be negative, but is {arguments.seed}.")
    if not 0 < arguments.miss < 1:
        raise InvalidInputError(f"--miss must lie between 0 and 1, not be {arguments.miss:g}.")
    for path in filter(None, (arguments.json, arguments.picture)):
        check_writable(path)

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kitwai.core.records.profile import load_profiles
    from kitwai.sim.episodes import grid_episodes
    from kitwai.sim.frontier import dominates
    from kitwai.sim.judging import Judge
    from kitwai.sim.library import Library

    library = Library(load_profiles(arguments.profiles), max_workers=max(workers))
    controllers = _controllers(arguments, library, max(workers))
    tables: dict[str, dict[str, Judgement]] = {}
    verdicts: dict[str, Verdict] = {}
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", justify="right"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} episodes, {task.fields[policy]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        size = len(library.profiles) * len(workers) * len(limits_s)
        bars = [
            bar.add_task(regime, total=size * len(controllers), policy="waits")
            for regime in regimes
        ]
        for regime, task in zip(regimes, bars, strict=True):
            bar.update(task, policy="the constant counts")
            episodes = grid_episodes(
                library,
                regime,
                seed=arguments.seed,
                workers=workers,
                limits_s=limits_s,
                miss=arguments.miss,
            )
            judge = Judge(library, episodes)
            outcomes = {}
            for name, controller in controllers.items():
                bar.update(task, policy=name)
                advance = partial(bar.advance, task)
                outcomes[name] = run_in_parts(judge, controller, advance)
            bar.update(task, policy="done")
            tables[regime] = {name: judge.judge(outcome) for name, outcome in outcomes.items()}
            if CHAMPION in outcomes:
                rivals = {name: rival for name, rival in outcomes.items() if _fair(name)}
                _, verdicts[regime] = dominates(outcomes[CHAMPION], rivals, judge, arguments.seed)
    for regime, table in tables.items():
        _print(regime, table, verdicts.get(regime))
    write_json(
        arguments.json,
        {
            "regimes": {
                regime: {name: dataclasses.asdict(row) for name, row in table.items()}
                for regime, table in tables.items()
            },
            "frontier": {regime: dataclasses.asdict(each) for regime, each in verdicts.items()},
        },
    )
    if arguments.picture:
        draw(arguments.picture, tables)
    return 0


def run_in_parts(
    judge: Judge, make: Maker, progress: Callable[[int], Any] = lambda ended: None
) -> Outcome:
    """The outcome of all episodes, run in parts of similar length.

    So short episodes do not wait for long episodes in the same arrays.

    :param make: makes the controller of the episodes in some rows.
    :param progress: called with the number of episodes that have ended since its last call.
    """
    import numpy as np

    from kitwai.sim.judging import Outcome

    count = len(judge.episodes)
    order = np.argsort(judge.at_most.finish_s, kind="stable")
    outcome = Outcome(np.empty(count), np.empty(count), np.empty(count, dtype=np.int64))
    for rows in np.array_split(order, max(1, min(_PARTS, count // _LEAST_PART))):
        reported = 0

        def report(ended: int) -> None:
            nonlocal reported
            progress(ended - reported)
            reported = ended

        part = judge.run(make(judge, rows), rows, report)
        report(len(rows))
        outcome.finish_s[rows] = part.finish_s
        outcome.worker_seconds[rows] = part.worker_seconds
        outcome.operations[rows] = part.operations
    return outcome


def _regimes(text: str | None) -> list[str]:
    from kitwai.sim.episodes import REGIMES

    if text is None:
        return list(REGIMES)
    named = list(dict.fromkeys(regime.strip() for regime in text.split(",")))
    for regime in named:
        if regime not in REGIMES:
            raise InvalidInputError(
                f"--regime names {regime!r}: name some of {', '.join(REGIMES)}, "
                "separated by commas."
            )
    return named


def _controllers(arguments: argparse.Namespace, library: Library, most: int) -> dict[str, Maker]:
    """By name, a function that makes each policy's controller; Kitwai's own policies first."""
    from kitwai.sim.baselines import NAMES, make
    from kitwai.sim.judging import Constant

    if arguments.policies is None:
        statics = [f"static@{count}" for count in range(1, most + 1)]
        names = [CHAMPION, BEST_STATIC, *statics, *NAMES]
    else:
        names = [name.strip() for name in arguments.policies.split(",")]
    makers: dict[str, Maker] = {}
    for name in names:
        if name == BEST_STATIC:
            makers[name] = lambda judge, rows: Constant(judge.best[rows])
        elif name not in AGENTS:
            makers |= {full_name: _same(made) for full_name, made in make([name]).items()}
    for name in [agent for agent in AGENTS if agent in names][::-1]:
        agent = agent_controller(name, arguments.models, arguments.checkpoint)
        makers = {name: _same(agent), **makers}
    return makers


def _same(controller: Controller) -> Maker:
    return lambda judge, rows: controller


def _fair(name: str) -> bool:
    from kitwai.sim.baselines import CHEATING

    return name != CHAMPION and name not in (*_HINDSIGHT, *CHEATING)


def _print(regime: str, table: dict[str, Judgement], verdict: Verdict | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console: Console = Console()
    first = next(iter(table.values()))
    shown = Table(
        title=f"{regime}: {first.episodes} episodes, {first.feasible} feasible", box=box.SIMPLE_HEAD
    )
    shown.add_column("policy", no_wrap=True)
    for heading in _COLUMNS.values():
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, row in sorted(table.items(), key=_order):
        values = [getattr(row, column) for column in _COLUMNS]
        style = "bold" if name == CHAMPION else None
        cells = ["-" if value is None else f"{value:.3f}" for value in values]
        shown.add_row(name, *cells, style=style)
    console.print(shown)
    console.print(
        "Over feasible episodes: hits; cost / best static's of those that hit (mean, p95);\n"
        "minutes late; worker-hours. vs N: finish / always-N's over infeasible ones.",
        style="dim",
        highlight=False,
    )
    if verdict is not None:
        console.print(f"The champion {verdict.sentence()}\n", highlight=False)


def _order(item: tuple[str, Judgement]) -> tuple[bool, float, float]:
    name, row = item
    ratio = row.static_ratio
    return name != CHAMPION, -(row.hit_rate or 0.0), float("inf") if ratio is None else ratio


def draw(path: Path, tables: dict[str, dict[str, Judgement]]) -> None:
    """Write a PNG of cost against hit rate.

    It has a panel for each regime, a point for each policy, and a line for each baseline over its
    margins.

    :raises InvalidInputError: it cannot be written.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2 * len(tables), 6.4), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    colours = colormaps["tab20"]
    lines = list(dict.fromkeys(_line(name) for table in tables.values() for name in table))
    for axes, (regime, table) in zip(panels, tables.items(), strict=True):
        for index, line in enumerate(lines):
            rows = [row for name, row in table.items() if _line(name) == line]
            points = [
                (row.hit_rate, row.static_ratio)
                for row in rows
                if row.hit_rate is not None and row.static_ratio is not None
            ]
            if not points:
                continue
            champion = line == CHAMPION
            axes.plot(
                *zip(*points, strict=True),
                label=line,
                color="#c53030" if champion else colours(index % colours.N),
                marker="*" if champion else "o",
                markersize=15 if champion else 4.5,
                linewidth=1.2,
                linestyle="none" if champion or line == "static" else "-",
                zorder=3 if champion else 2,
            )
        axes.set_title(regime)
        axes.set_xlabel("hit rate on feasible episodes")
        axes.grid(color="#e4e7eb")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("cost / best static's, of those that hit")
    handles, labels = _legend(panels)
    wide = len(tables) > 1
    figure.subplots_adjust(bottom=0.21 if wide else 0.32, left=0.06 if wide else 0.13, right=0.98)
    columns = 3 * len(tables)
    figure.legend(handles, labels, loc="lower center", ncols=columns, frameon=False, fontsize=9)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}.") from error


def _legend(panels: Sequence[Any]) -> tuple[list[Any], list[str]]:
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    return list(handles.values()), list(handles)


def _line(name: str) -> str:
    return name.partition("@")[0]
