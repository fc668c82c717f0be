"""``kitwai bench fidelity``: how true the simulator is."""

from __future__ import annotations

import argparse
from pathlib import Path

from kitwai.cli.output import make_folder
from kitwai_lab.commands.bench.options import Benchmarks, with_json, write_figures


def add_parser(benchmarks: Benchmarks) -> None:
    """Add the benchmark."""
    parser = benchmarks.add_parser(
        "fidelity", parents=[with_json()], help="real finish times against simulated ones"
    )
    parser.add_argument(
        "--logs", type=Path, help="keep event logs here; what is there already is not run again"
    )
    parser.add_argument(
        "--profiles", type=Path, help="write the profiles of its applications to this folder"
    )
    parser.add_argument(
        "--constants",
        type=Path,
        help="what kitwai bench calibrate --json has measured on this machine (default: the "
        "constants that come with Kitwai)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
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
    write_figures(arguments.json, figures)
    return 0
