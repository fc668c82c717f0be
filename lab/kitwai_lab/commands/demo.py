"""``kitwai demo``: a real Airflow scales a real Spark cluster."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "demo",
        help="a real Airflow scales a real Spark cluster so that an application makes its limit",
        description="Runs an application with a limit on a real Spark cluster that a real Airflow "
        "scales, makes the run known to Kitwai, and runs the application again. The exit code is 0 "
        "when both runs made the limit.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("run/demo"),
        help="folder for summary, picture and logs (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", default="210s", help="the application's time limit (default: %(default)s)"
    )
    parser.add_argument(
        "--max-workers", type=int, default=6, help="N, the most workers (default: %(default)s)"
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="afterwards run the same application with every constant count of workers, 1 to N",
    )
    parser.add_argument("--keep", action="store_true", help="leave everything up at the end")
    parser.add_argument(
        "--stop", action="store_true", help="end the demo that was left up in --out"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from kitwai_lab.demo.claim import stop

    if arguments.stop:
        count = stop(arguments.out.resolve())
        print(f"{count} processes ended." if count else f"No demo is up in {arguments.out}.")
        return 0

    from kitwai.cli.output import make_folder
    from kitwai.core.records.constraint import Constraint, parse_duration
    from kitwai_lab.demo.run import Options, run_demo

    constraint = Constraint(arguments.max_workers, parse_duration(arguments.limit))
    make_folder(arguments.out)
    return run_demo(
        Options(
            out=arguments.out,
            limit_s=constraint.limit_s,
            max_workers=constraint.max_workers,
            keep=arguments.keep,
            compare=arguments.compare,
        )
    )
