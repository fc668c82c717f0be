"""``kitwai bench real``: how Kitwai does on real applications, against constant counts."""

from __future__ import annotations

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kitwai.cli.output import make_folder, result_file
from kitwai.errors import InvalidInputError
from kitwai_lab.commands.bench.options import (
    Benchmarks,
    check_at_least_one,
    with_json,
    write_figures,
)

if TYPE_CHECKING:
    from rich.console import Console

    from kitwai_lab.bench.real.applications import JudgedApplication

_QUICK_WORKERS, _WORKERS = 4, 6
_QUICK_SETTLE_S, _SETTLE_S = 8.0, 30.0
_WIDTH = 120


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "real",
        parents=[with_json()],
        help="real applications on a real cluster: constant counts against Kitwai",
        description="Runs each application on constant counts of workers, then under Kitwai with "
        "its family unknown, and known from the constant runs. What is in --out already is not "
        "run again.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder that keeps a folder for each run (default: run/real, or run/real-quick)",
    )
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="NAME", help="only these applications"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"applications of about a minute and N = {_QUICK_WORKERS}",
    )
    parser.add_argument(
        "--workers", type=int, help=f"N (default: {_WORKERS}, with --quick {_QUICK_WORKERS})"
    )
    parser.add_argument(
        "--constants",
        type=int,
        nargs="+",
        default=(),
        metavar="COUNT",
        help="only these constant counts (default: 1 to N)",
    )
    parser.add_argument(
        "--step", type=float, default=15.0, help="seconds between steps (default: %(default)s)"
    )
    parser.add_argument(
        "--picture", type=result_file, help="draw real and simulated ratios as a PNG"
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="run nothing: decide again on the recorded observations, and compare the forecasts",
    )
    own = parser.add_argument_group("an application of your own, instead of those of the benchmark")
    own.add_argument("--application", type=Path, metavar="FILE", help="a Python script for Spark")
    own.add_argument(
        "--argument",
        dest="arguments",
        action="append",
        default=[],
        metavar="VALUE",
        help="one of its arguments; repeat for more, as --argument=--option where it has a dash",
    )
    own.add_argument("--limit", type=float, help="its limit in seconds")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    applications = _applications(arguments)
    out = arguments.out or Path("run/real-quick" if arguments.quick else "run/real")
    make_folder(out)
    out = out.resolve()

    from rich.console import Console

    from kitwai_lab.bench.real.planning import Campaign, run_all

    campaign = Campaign(
        max_workers=arguments.workers or (_QUICK_WORKERS if arguments.quick else _WORKERS),
        step_s=arguments.step,
        constants=tuple(arguments.constants),
        settle_s=_QUICK_SETTLE_S if arguments.quick else _SETTLE_S,
    )
    folders = [out / application.name for application in applications]
    console = Console(highlight=False)
    # The table's cells are not to be broken where the output is no terminal.
    console.width = max(console.width, _WIDTH)
    if arguments.again:
        return _again(folders, arguments.json, console)
    run_all(applications, campaign, out, partial(console.print, markup=False))

    from kitwai_lab.bench.real.reporting import (
        failures,
        figures_of_all,
        sentences_of,
        table_of,
    )

    figures = figures_of_all(folders, campaign)
    console.print(table_of(figures))
    for sentence in sentences_of(figures):
        console.print(sentence)
    write_figures(arguments.json, figures)
    if arguments.picture is not None:
        from kitwai_lab.bench.real.drawing import draw_ratios

        draw_ratios(arguments.picture, figures["rows"])
    failed = failures(figures)
    for failure in failed:
        print(f"kitwai: {failure}", file=sys.stderr)
    return 1 if failed else 0


def _again(folders: list[Path], json: Path | None, console: Console) -> int:
    from kitwai_lab.bench.real.again import forecasts_again
    from kitwai_lab.bench.real.reporting import forecasts_table

    rows = forecasts_again(folders)
    console.print(forecasts_table(rows))
    write_figures(json, {"source": "kitwai bench real --again", "rows": rows})
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.workers is not None:
        check_at_least_one(arguments, "workers")
    if any(count < 1 for count in arguments.constants):
        raise InvalidInputError("--constants must be counts of at least 1.")
    if not 1 <= arguments.step < math.inf:
        raise InvalidInputError(f"--step must be at least 1, not {arguments.step:g}.")
    if arguments.application is None:
        if arguments.limit is not None or arguments.arguments:
            raise InvalidInputError("--limit and --argument belong to an --application.")
    elif arguments.limit is None or not 0 < arguments.limit < math.inf:
        raise InvalidInputError("--application needs a --limit above 0, in seconds.")
    elif arguments.only or arguments.quick:
        raise InvalidInputError("--only and --quick do not go with --application.")


def _applications(arguments: argparse.Namespace) -> tuple[JudgedApplication, ...]:
    from kitwai_lab.bench.real.applications import own, shapes

    if arguments.application is not None:
        return (own(arguments.application, arguments.arguments, arguments.limit),)
    return shapes(arguments.only, quick=arguments.quick)
