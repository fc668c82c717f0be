"""``kitwai bench``: what a step costs, how soon the loop acts, how true and how fast the simulator
is, how fast event logs are read, and how fast the trainer learns.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from kitwai.cli.output import check_writable, make_folder, result_file, write_json
from kitwai.errors import InvalidInputError
from kitwai_lab.commands import bench_api, bench_clusters, bench_pool

_MOST_MB = 3_000
"""A larger log of the benchmark would hold more tasks than a profile may."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand with its benchmarks."""
    bench = subparsers.add_parser(
        "bench", help="measure Kitwai: real Airflow, real Spark, simulator, training"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=result_file, help="write the figures to this file as well")
    benchmarks = bench.add_subparsers(required=True, metavar="BENCHMARK")

    step = benchmarks.add_parser(
        "step", parents=[common], help="wall time of a step against an empty three-task DAG"
    )
    step.add_argument("--runs", type=int, default=10, help="of each DAG (default: %(default)s)")
    step.set_defaults(run=_step)

    reaction = benchmarks.add_parser(
        "reaction", parents=[common], help="time from a change to an action, by schedule"
    )
    reaction.add_argument(
        "--steps",
        default="15s,@continuous",
        help="schedules, separated by commas (default: %(default)s)",
    )
    reaction.add_argument(
        "--changes", type=int, default=6, help="under each schedule (default: %(default)s)"
    )
    reaction.set_defaults(run=_reaction)

    bench_clusters.add_parser(benchmarks, common)

    calibrate = benchmarks.add_parser(
        "calibrate", help="the simulator's constants, measured on a real Spark cluster"
    )
    calibrate.add_argument(
        "--json",
        type=result_file,
        help="write them to this file (default: where the simulator reads them)",
    )
    calibrate.add_argument(
        "--repeats", type=int, default=2, help="of every measurement (default: %(default)s)"
    )
    calibrate.set_defaults(run=_calibrate)

    fidelity = benchmarks.add_parser(
        "fidelity", parents=[common], help="real finish times against simulated ones"
    )
    fidelity.add_argument(
        "--logs", type=Path, help="keep event logs here; what is there already is not run again"
    )
    fidelity.add_argument(
        "--profiles", type=Path, help="write the profiles of its applications to this folder"
    )
    fidelity.add_argument(
        "--constants",
        type=Path,
        help="what kitwai bench calibrate --json has measured on this machine (default: the "
        "constants that come with Kitwai)",
    )
    fidelity.set_defaults(run=_fidelity)

    sim = benchmarks.add_parser(
        "sim", parents=[common], help="speed of the simulator and of decisions"
    )
    sim.add_argument(
        "--episodes", type=int, default=2048, help="side by side (default: %(default)s)"
    )
    sim.set_defaults(run=_sim)

    event_log = benchmarks.add_parser(
        "eventlog", parents=[common], help="speed and memory of reading a Spark event log"
    )
    event_log.add_argument(
        "--mb", type=int, default=1000, help="size before compression (default: %(default)s)"
    )
    event_log.add_argument(
        "--codec", choices=("plain", "zstd", "gz"), default="plain", help="default: %(default)s"
    )
    event_log.set_defaults(run=_event_log)

    log = benchmarks.add_parser(
        "log", parents=[common], help="speed and memory of counting a driver's log"
    )
    log.add_argument(
        "--megabytes", type=float, default=1000.0, help="of each layout (default: %(default)s)"
    )
    log.set_defaults(run=_log)

    train = benchmarks.add_parser(
        "train",
        parents=[common],
        help="the trainer against Stable-Baselines3 and the original's rule, at equal time",
    )
    train.add_argument(
        "--seconds", type=float, default=60.0, help="for each of them (default: %(default)s)"
    )
    train.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    train.set_defaults(run=_train)

    train_dag = benchmarks.add_parser(
        "train-dag", parents=[common], help="a run of the training DAG, and Airflow's share of it"
    )
    train_dag.add_argument(
        "--applications", type=int, default=20, help="of its day (default: %(default)s)"
    )
    train_dag.set_defaults(run=_train_dag)

    bench_api.add_parser(benchmarks, common)
    bench_pool.add_parser(benchmarks, common)


def _step(arguments: argparse.Namespace) -> int:
    _at_least_one(arguments, "runs")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.step import measure_step

    console = Console(highlight=False)
    times = measure_step(
        arguments.runs, progress=lambda dag, seconds: console.print(f"{dag}: {seconds:.2f} s")
    )
    table = Table("DAG of three tasks", "runs", "median s", "fastest s", "slowest s")
    for name, seconds in (("empty", times.empty_s), ("kitwai_autoscale", times.step_s)):
        table.add_row(name, str(len(seconds)), *_spread(seconds))
    console.print(table)
    console.print(f"A step takes {times.ratio:.2f} x the time of an empty DAG.")
    _write(arguments.json, {**asdict(times), "ratio": times.ratio})
    return 0


def _reaction(arguments: argparse.Namespace) -> int:
    _at_least_one(arguments, "changes")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.reaction import measure_reaction

    console = Console(highlight=False)
    table = Table(
        "schedule", "changes", "median s", "fastest s", "slowest s", "CPU s/min", "steps/min"
    )
    figures = {}
    for step in arguments.steps.split(","):
        reaction = measure_reaction(
            step.strip(),
            arguments.changes,
            progress=lambda step, seconds: console.print(f"{step}: {seconds:.1f} s"),
        )
        figures[reaction.step] = {**asdict(reaction), "median_s": reaction.median_s}
        table.add_row(
            reaction.step,
            str(len(reaction.reaction_s)),
            *_spread(reaction.reaction_s),
            f"{reaction.cpu_s_per_minute:.1f}",
            f"{reaction.steps_per_minute:.1f}",
        )
    console.print(table)
    _write(arguments.json, figures)
    return 0


def _calibrate(arguments: argparse.Namespace) -> int:
    _at_least_one(arguments, "repeats")

    from rich.console import Console
    from rich.table import Table

    from kitwai.sim.constants import MEASURED
    from kitwai_lab.bench.calibrate import calibrate

    check_writable(arguments.json or MEASURED)
    console = Console(highlight=False)
    figures = calibrate(arguments.repeats, progress=console.print)
    table = Table("constant", "median s", "p10 s", "p90 s", "samples")
    for name, one in figures["constants"].items():
        seconds = (f"{one[key]:.3f}" for key in ("median", "p10", "p90"))
        table.add_row(name, *seconds, str(one["count"]))
    console.print(table)
    _write(arguments.json or MEASURED, figures)
    return 0


def _fidelity(arguments: argparse.Namespace) -> int:
    for made in filter(None, (arguments.logs, arguments.profiles)):
        make_folder(made)

    import tempfile

    from rich.console import Console
    from rich.table import Table

    from kitwai.sim.constants import MEASURED
    from kitwai_lab.bench.fidelity import measure_fidelity

    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="kitwai-fidelity-") as folder:
        figures = measure_fidelity(
            arguments.logs or Path(folder),
            arguments.profiles,
            progress=console.print,
            measured=arguments.constants or MEASURED,
        )
    table = Table("application", "size", "workers", "real s", "simulated s", "error", "load")
    for run in figures["runs"]:
        table.add_row(
            *(run["shape"], str(run["size"]), run["plan"]),
            *(f"{run['real_s']:.1f}", f"{run['simulated_s']:.1f}"),
            *(f"{run['error']:+.1%}", f"{run['load']:.1f}"),
        )
    console.print(table)
    console.print(
        f"Median error {figures['median_error']:.1%}, worst {figures['worst_error']:.1%}."
    )
    _write(arguments.json, figures)
    return 0


def _sim(arguments: argparse.Namespace) -> int:
    _at_least_one(arguments, "episodes")

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
    _write(arguments.json, figures)
    return 0


def _event_log(arguments: argparse.Namespace) -> int:
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
    _write(arguments.json, figures)
    return 0


def _log(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.megabytes <= 100_000:
        raise InvalidInputError(f"--megabytes must lie in 1..100000, not {arguments.megabytes:g}.")

    from rich.console import Console
    from rich.table import Table

    from kitwai_lab.bench.driver_log import measure_log

    figures = measure_log(round(arguments.megabytes * 1e6))
    table = Table("layout", "MB", "lines", "MB/s of a core", "wanted", "memory grew by MB")
    for name, one in figures["layouts"].items():
        table.add_row(
            name,
            *(f"{one['mb']:,.0f}", f"{one['lines']:,}", f"{one['mb_per_cpu_s']:.0f}"),
            *(f"≥ {figures['wanted_mb_per_s']:.0f}", f"{one['memory_growth_mb']:.1f}"),
        )
    Console(highlight=False).print(table)
    _write(arguments.json, figures)
    return 0


def _train(arguments: argparse.Namespace) -> int:
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
            *(_figure(row.get("seconds"), ".0f"), _figure(row.get("learnt_transitions_per_s"))),
            _figure(row.get("simulated_steps_per_s")),
            *(_figure(row["hit_rate"], ".3f"), _figure(row["static_ratio"], ".3f")),
            _figure(row["return"], ".3f"),
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
    _write(arguments.json, figures)
    return 0


def _figure(value: float | None, form: str = ",.0f") -> str:
    return "-" if value is None else f"{value:{form}}"


def _spread(seconds: tuple[float, ...]) -> tuple[str, str, str]:
    return f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}"


def _at_least_one(arguments: argparse.Namespace, name: str) -> None:
    if getattr(arguments, name) < 1:
        raise InvalidInputError(f"--{name} must be at least 1, not {getattr(arguments, name)}.")


def _write(path: Path | None, figures: Mapping[str, object]) -> None:
    if path is not None:
        write_json(path, figures)


def _train_dag(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from kitwai_lab.bench.train_dag import measure_train_dag

    if not 1 <= arguments.applications <= 1000:
        raise InvalidInputError(
            f"--applications must lie in 1..1000, not be {arguments.applications}."
        )
    console = Console(highlight=False)
    times = measure_train_dag(arguments.applications, console.print)
    for name, seconds in times.tasks.items():
        console.print(f"{name}: {seconds:.1f} s")
    console.print(
        f"The run took {times.wall_s:.1f} s, {times.overhead:.0%} of it Airflow's. {times.verdict}"
    )
    _write(arguments.json, {**asdict(times), "overhead": times.overhead})
    return 0
