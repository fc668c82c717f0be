"""All runs of the applications: which there are, which are done already, and their order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kitwai.errors import KitwaiError
from kitwai_lab.bench.real.applications import JudgedApplication
from kitwai_lab.bench.real.record import RunRecord, read_record, read_records
from kitwai_lab.bench.real.running import RunPlan, airflow_home, run_application
from kitwai_lab.demo.claim import claim

UNKNOWN, KNOWN = "unknown", "known"
"""The runs under Kitwai: nothing is known of the family, or all runs before."""

_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is to be run of each application.

    ``max_workers``: N; ``step_s``: from step to step; ``constants``: the constant counts, of which
    those above N are left out; empty: all; ``settle_s``: as in `RunPlan`.
    """

    max_workers: int = 6
    step_s: float = 15.0
    constants: tuple[int, ...] = ()
    settle_s: float = 30.0

    @property
    def plans(self) -> tuple[RunPlan, ...]:
        """The runs of an application in their order: constant ones, unknown, known."""
        most = self.max_workers
        counts = [count for count in self.constants or range(1, most + 1) if count <= most]
        constants = (
            RunPlan(constant_name(count), most, _LOOK_S, count, self.settle_s)
            for count in sorted(set(counts))
        )
        kitwai = (
            RunPlan(name, most, self.step_s, settle_s=self.settle_s) for name in (UNKNOWN, KNOWN)
        )
        return (*constants, *kitwai)


def constant_name(workers: int) -> str:
    """The name of the run on a constant count."""
    return f"constant-{workers}"


def run_all(
    applications: Sequence[JudgedApplication],
    campaign: Campaign,
    out: Path,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Run what is not in ``out`` yet. A run that fails is told of, and the others go on.

    :param out: gets a folder for each application, with a folder for each of its runs.
    :param say: is told of every run before and after it.
    """
    runs = [(application, plan) for application in applications for plan in campaign.plans]
    missing = [(a, p) for a, p in runs if not _is_done(out / a.name, a, p)]
    say(f"{len(runs)} runs, {len(runs) - len(missing)} of them done before.")
    began = time.monotonic()
    with claim(out), airflow_home(out):
        from kitwai.registry.champion import load_champion

        champion = load_champion()
        for number, (application, plan) in enumerate(missing, start=1):
            minutes = (time.monotonic() - began) / 60
            name = f"{application.name}, {plan.name}"
            say(f"[{number}/{len(missing)}, after {minutes:.0f} min] {name} …")
            folder = out / application.name
            try:
                history = make_history(folder) if plan.name == KNOWN else None
            except KitwaiError as error:
                say(f"  not run: {error}")
                continue
            record = run_application(application, plan, folder / plan.name, champion, history)
            say(f"  {outcome(record)}")


def make_history(folder: Path) -> Path:
    """Make the file of past runs of an application from its constant runs, as a user would.

    :param folder: of the application; gets ``profiles/`` and ``history.json``.
    :raises KitwaiError: no constant run gives a profile.
    """
    from kitwai.cli.main import main

    logs = [str(folder / record.name / "events") for record in constant_runs(folder)]
    profiles, history = folder / "profiles", folder / "history.json"
    if not logs:
        raise KitwaiError(f"No constant run in {folder} succeeded.")
    for old in profiles.glob("*.json"):
        old.unlink()
    with (
        (folder / "history.log").open("w", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        main(["profile", *logs, "--out", str(profiles)])
        code = main(["history", "--profiles", str(profiles), "--out", str(history)])
    if code != 0:
        raise KitwaiError(f"The constant runs give no history; see {folder / 'history.log'}.")
    return history


def constant_runs(folder: Path) -> list[RunRecord]:
    """The constant runs of an application that succeeded, by their counts.

    :param folder: of the application.
    """
    done = [record for record in read_records(folder) if record.constant and record.run]
    return sorted(done, key=lambda record: record.constant or 0)


def outcome(record: RunRecord) -> str:
    """How a run ended, in one line."""
    run = record.run
    if run is None:
        return f"failed: {record.error}"
    verdict = "met" if run.hit else "missed"
    return (
        f"{run.finish_s:.0f} s, limit of {run.limit_s:.0f} s {verdict}, "
        f"{run.worker_seconds:.0f} worker-seconds, {run.application.failed_tasks} failed tasks"
    )


def _is_done(folder: Path, application: JudgedApplication, plan: RunPlan) -> bool:
    record = read_record(folder / plan.name)
    return record is not None and record.is_of(RunRecord.planned(application, plan))
