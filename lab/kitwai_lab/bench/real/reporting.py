"""The figures of all applications, and the tables that show them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.errors import KitwaiError
from kitwai.registry.champion import load_champion
from kitwai_lab.bench.machine import machine
from kitwai_lab.bench.real.judging import SHARES, row_of
from kitwai_lab.bench.real.planning import KNOWN, UNKNOWN, Campaign
from kitwai_lab.bench.real.simulating import simulate

if TYPE_CHECKING:
    from rich.table import Table

_REGIMES = (UNKNOWN, KNOWN)


def figures_of_all(folders: Sequence[Path], campaign: Campaign) -> dict[str, Any]:
    """The figures of every application, real and simulated, and a summary of them.

    :param folders: of the applications.
    """
    champion = load_champion()
    rows = []
    for folder in folders:
        row = row_of(folder)
        try:
            row["simulated"] = simulate(folder, champion, campaign.step_s)
        except KitwaiError as error:
            row["simulated"] = None
            row["simulated_error"] = str(error)
        rows.append(row)
    return {
        "source": "kitwai bench real",
        "machine": machine(),
        "checkpoint": champion.policy.version if champion.policy else None,
        "max_workers": campaign.max_workers,
        "step_s": campaign.step_s,
        "summary": {
            **{regime: summary_of(rows, regime) for regime in _REGIMES},
            "constants": {
                "forecast_error": _median_errors(
                    [run for row in rows for run in row["constants"].values()]
                )
            },
        },
        "rows": rows,
    }


def summary_of(rows: Sequence[dict[str, Any]], regime: str) -> dict[str, Any]:
    """How Kitwai did over all applications.

    Over the applications that have a best constant count: ``feasible``, their number; ``met``: how
    many runs met the limit; ``mean_ratio``: of those; ``simulated_ratio``: the simulator's mean
    over the same. ``forecast_error``: by percent of the run, the median of the errors' sizes.
    """
    feasible = [row for row in rows if row["best_constant"] is not None and _ended(row[regime])]
    met = [row for row in feasible if row[regime]["hit"]]
    simulated = [
        row["simulated"][regime]["ratio"]
        for row in met
        if row.get("simulated") and row["simulated"][regime]["ratio"] is not None
    ]
    return {
        "feasible": len(feasible),
        "met": len(met),
        "mean_ratio": _mean([row[regime]["ratio"] for row in met]),
        "simulated_ratio": _mean(simulated),
        "forecast_error": _median_errors([row[regime] for row in rows]),
    }


def _median_errors(runs: Sequence[dict[str, Any] | None]) -> dict[str, float | None]:
    """By percent of a run, the median size of the forecast's errors of the runs that ended."""
    medians: dict[str, float | None] = {}
    for share in map(str, SHARES):
        errors = [run["forecast_error"][share] for run in runs if run and "error" not in run]
        sizes = [abs(error) for error in errors if error is not None]
        medians[share] = round(statistics.median(sizes), 3) if sizes else None
    return medians


def sentences_of(figures: dict[str, Any]) -> list[str]:
    """The summary in words."""
    said = []
    for regime in _REGIMES:
        summary = figures["summary"][regime]
        ratios = (_cell(summary[key], ".2f") for key in ("mean_ratio", "simulated_ratio"))
        said.append(
            f"Family {regime}: {summary['met']} limits met of {summary['feasible']} that a "
            f"constant count meets; mean ratio {', simulated '.join(ratios)}."
        )
    shares = ", ".join(map(str, SHARES))
    for name, summary in figures["summary"].items():
        errors = ", ".join(_cell(error, ".0%") for error in summary["forecast_error"].values())
        said.append(f"The forecast's median error at {shares} % of runs, {name}: {errors}.")
    return said


def table_of(figures: dict[str, Any]) -> Table:
    """By application one line for the best constant run, and one for each run under Kitwai.

    A ratio stands before the simulator's ratio. The errors are those of the forecast (`SHARES`).
    """
    from rich.table import Table

    shares = ", ".join(map(str, SHARES))
    table = Table("application (limit)")
    for heading in (
        "finish s",
        "worker-s",
        "ratio (sim.)",
        "ops",
        "failed",
        f"error at {shares} %",
    ):
        table.add_column(heading, justify="right")
    for row in figures["rows"]:
        table.add_row(f"{row['application']} ({row['limit_s'] or 0:.0f} s)")
        for line in _lines(row):
            table.add_row(*line)
        table.add_section()
    return table


def _lines(row: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    best = row["best_constant"]
    if best is None:
        yield ("  no constant count met it",)
    else:
        yield _line(f"{best} workers", row["constants"][str(best)], None)
    for regime in _REGIMES:
        simulated = row["simulated"][regime] if row.get("simulated") else None
        yield _line(regime, row[regime], simulated)


def _line(
    name: str, run: dict[str, Any] | None, simulated: dict[str, Any] | None
) -> tuple[str, ...]:
    if run is None:
        return (f"  {name}", "not run")
    if "error" in run:
        return (f"  {name}", "failed")
    errors = (run["forecast_error"][str(share)] for share in SHARES)
    ratio = _cell(run["ratio"], ".2f")
    return (
        f"  {name}",
        ("" if run["hit"] else "late ") + f"{run['finish_s']:.0f}",
        f"{run['worker_seconds']:.0f}",
        ratio + (f" ({_cell(simulated['ratio'], '.2f')})" if simulated else ""),
        str(run["operations"]),
        str(run["failed_tasks"]),
        "  ".join(_cell(error, "+.0%") for error in errors),
    )


def failures(figures: dict[str, Any]) -> list[str]:
    """Why runs failed, a sentence each."""
    return [
        f"{row['application']}, {name}: {run['error']}"
        for row in figures["rows"]
        for name, run in (
            *((f"{count} workers", run) for count, run in row["constants"].items()),
            *((regime, row[regime]) for regime in _REGIMES),
        )
        if run is not None and "error" in run
    ]


def forecasts_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The forecasts' errors as they were recorded, and as the present code makes them.

    :param rows: of `kitwai_lab.bench.real.again.forecasts_again`.
    """
    from rich.table import Table

    shares = ", ".join(map(str, SHARES))
    table = Table("application", "run", f"recorded: error at {shares} %", "now")
    for row in rows:
        cells = (
            "  ".join(_cell(row[key][str(share)], "+.0%") for share in SHARES)
            for key in ("recorded", "now")
        )
        table.add_row(row["application"], row["run"], *cells)
    return table


def _ended(run: dict[str, Any] | None) -> bool:
    return run is not None and "error" not in run


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.mean(values), 3) if values else None


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
