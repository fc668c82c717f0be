"""``kitwai bench``: each benchmark is a module of its name.

A module parses the options and prints the figures. `kitwai_lab.bench` measures them.
"""

from __future__ import annotations

import argparse

from kitwai_lab.commands.bench import (
    api,
    calibrate,
    clusters,
    eventlog,
    fidelity,
    log,
    look,
    pool,
    reaction,
    real,
    sim,
    step,
    train,
    train_dag,
)

_BENCHMARKS = (
    step,
    reaction,
    clusters,
    calibrate,
    fidelity,
    real,
    sim,
    eventlog,
    log,
    look,
    train,
    train_dag,
    api,
    pool,
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand with its benchmarks."""
    bench = subparsers.add_parser(
        "bench", help="measure Kitwai: real Airflow, real Spark, simulator, training"
    )
    benchmarks = bench.add_subparsers(required=True, metavar="BENCHMARK")
    for benchmark in _BENCHMARKS:
        benchmark.add_parser(benchmarks)
