"""Rows of figures from the folders of runs.

An application's row has its constant runs, the best of them, and the two runs under Kitwai. A run
that is missing or failed has its place in the row all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kitwai.core.records.decision import Decision
from kitwai.store.store import Store
from kitwai_lab.bench.real.planning import KNOWN, UNKNOWN, constant_name
from kitwai_lab.bench.real.record import CLUSTER, RunRecord, read_records
from kitwai_lab.demo.measure import Run

SHARES = (10, 25, 50, 75)
"""Shares of a run, in percent, at which its forecast is judged."""

Forecast = tuple[float, float]
"""Seconds since the application's start, and when it was then predicted to end."""


def row_of(folder: Path) -> dict[str, Any]:
    """The figures of one application.

    ``best_constant``: count of the cheapest constant run that met the limit, None if none did;
    ``constants``: by count, and ``unknown``, ``known``: the figures of runs (`figures_of`), None
    where there is no run.

    :param folder: of the application, with a folder for each run.
    """
    records = {record.name: record for record in read_records(folder)}
    runs = {r.constant: r.run for r in records.values() if r.constant and r.run}
    best = best_constant(runs)
    best_run = runs[best] if best is not None else None
    counts = sorted(r.constant for r in records.values() if r.constant)
    any_record = next(iter(records.values()), None)

    def figures(name: str) -> dict[str, Any] | None:
        return figures_of(folder, records[name], best_run) if name in records else None

    return {
        "application": folder.name,
        "limit_s": any_record.limit_s if any_record else None,
        "max_workers": any_record.max_workers if any_record else None,
        "best_constant": best,
        "constants": {str(count): figures(constant_name(count)) for count in counts},
        UNKNOWN: figures(UNKNOWN),
        KNOWN: figures(KNOWN),
    }


def figures_of(folder: Path, record: RunRecord, best: Run | None) -> dict[str, Any]:
    """The figures of one run.

    ``ratio``: worker-seconds over those of the best constant run, None if there is none;
    ``operations``: scalings that began while the application ran; ``forecast_error``: by percent of
    the run, predicted finish over the real one, less 1; None where nothing had been predicted yet.
    A failed run has its ``error`` alone.

    :param folder: of the application.
    """
    run = record.run
    if run is None:
        return {"error": record.error or "It did not end."}
    forecasts = forecasts_of(decisions_of(folder / record.name), record.constant)
    return {
        "finish_s": round(run.finish_s, 1),
        "hit": run.hit,
        "worker_seconds": round(run.worker_seconds, 1),
        "ratio": _ratio(run, best),
        "operations": run.during(run.scale_outs) + run.during(run.scale_ins),
        "failed_tasks": run.application.failed_tasks,
        "failed_steps": len(record.step_errors),
        "forecast_error": forecast_errors(forecasts, run.finish_s),
        "load": record.measured_on.get("load_average", [None])[0],
    }


def best_constant(runs: Mapping[int, Run]) -> int | None:
    """The constant count that met the limit on the fewest worker-seconds; None if none met it.

    :param runs: by count.
    """
    met = {count: run.worker_seconds for count, run in runs.items() if run.hit}
    return min(met, key=lambda count: met[count]) if met else None


def forecasts_of(decisions: Iterable[Decision], constant: int | None = None) -> list[Forecast]:
    """What the decisions on the one application predicted of its end, in the order of time.

    A forecast is that of the count decided on, or of the ``constant`` count. Decisions without a
    forecast are left out.
    """
    forecasts = []
    for decision in decisions:
        for application in decision.applications:
            finish_s = application.predicted_finish_s
            count = constant or application.target
            if finish_s is not None and count <= len(finish_s):
                forecasts.append((application.elapsed_s, finish_s[count - 1]))
    return forecasts


def forecast_errors(forecasts: Sequence[Forecast], finish_s: float) -> dict[str, float | None]:
    """By percent of the run, the error of the newest forecast then; None where there was none."""
    errors: dict[str, float | None] = {}
    for share in SHARES:
        known = [predicted for at, predicted in forecasts if at <= finish_s * share / 100.0]
        errors[str(share)] = round(known[-1] / finish_s - 1.0, 3) if known else None
    return errors


def _ratio(run: Run, best: Run | None) -> float | None:
    return None if best is None else round(run.worker_seconds / best.worker_seconds, 3)


def decisions_of(folder: Path) -> list[Decision]:
    """What was decided in the run of ``folder``, in the order of time."""
    store = Store(f"sqlite:///{folder / 'kitwai.db'}")
    try:
        return [stored.decision for stored in store.decisions(CLUSTER)]
    finally:
        store.engine.dispose()
