"""The record of a run, ``run.json`` in its folder: what was run, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.store.files import replace_text
from kitwai_lab.demo.measure import Application, Run

if TYPE_CHECKING:
    from kitwai_lab.bench.real.applications import JudgedApplication
    from kitwai_lab.bench.real.running import RunPlan

CLUSTER = "spark_real"
"""Connection id of every cluster, and its name in the stores of runs."""

_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run; moments in epoch seconds.

    ``constant``: the constant count of workers, None under Kitwai. ``lifetimes``: launch request
    and removal of each worker. ``scale_outs``, ``scale_ins``: when operations began.
    ``step_errors``: steps that failed. ``measured_on``: the machine and how busy it was.
    ``error``: why the run failed, None if it did not; then only the plan is known.
    """

    application: str
    name: str
    arguments: tuple[str, ...]
    limit_s: float
    max_workers: int
    step_s: float
    constant: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    failed_tasks: int | None = None
    lifetimes: tuple[tuple[float, float | None], ...] = ()
    scale_outs: tuple[float, ...] = ()
    scale_ins: tuple[float, ...] = ()
    step_errors: tuple[str, ...] = ()
    measured_on: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def planned(cls, application: JudgedApplication, plan: RunPlan) -> RunRecord:
        """The record of a run that has not begun."""
        return cls(
            application=application.name,
            name=plan.name,
            arguments=(str(application.script.name), *application.arguments),
            limit_s=application.limit_s,
            max_workers=plan.max_workers,
            step_s=plan.step_s,
            constant=plan.constant,
        )

    def ended(
        self,
        measured: Application,
        lifetimes: Sequence[tuple[float, float | None]],
        *,
        scale_outs: Sequence[float],
        scale_ins: Sequence[float],
        step_errors: Sequence[str],
        measured_on: Mapping[str, Any],
    ) -> RunRecord:
        """The record once the application has ended."""
        return replace(
            self,
            started_at=measured.started_at,
            ended_at=measured.ended_at,
            failed_tasks=measured.failed_tasks,
            lifetimes=tuple(lifetimes),
            scale_outs=tuple(scale_outs),
            scale_ins=tuple(scale_ins),
            step_errors=tuple(step_errors),
            measured_on=measured_on,
        )

    def failed(self, error: str) -> RunRecord:
        """The record of a run that failed."""
        return replace(self, error=error)

    @property
    def run(self) -> Run | None:
        """The run with its figures, as the demo defines them; None if it failed."""
        if self.error is not None or self.started_at is None or self.ended_at is None:
            return None
        return Run(
            name=self.name,
            limit_s=self.limit_s,
            max_workers=self.max_workers,
            application=Application(self.started_at, self.ended_at, self.failed_tasks or 0),
            lifetimes=self.lifetimes,
            scale_outs=self.scale_outs,
            scale_ins=self.scale_ins,
        )

    @property
    def judged(self) -> tuple[str, tuple[str, ...], float, int]:
        """What all runs have in common that are judged together."""
        return self.application, self.arguments, self.limit_s, self.max_workers

    def is_of(self, planned: RunRecord) -> bool:
        """Whether it is the record of what is planned, and that succeeded."""
        mine, theirs = (
            (record.judged, record.name, record.step_s, record.constant)
            for record in (self, planned)
        )
        return self.run is not None and mine == theirs


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record so that a reader never finds half of it."""
    replace_text(folder / _FILE, json.dumps(asdict(record), indent=2) + "\n")


def read_records(folder: Path) -> list[RunRecord]:
    """The records of an application's runs, by their names.

    Records of other arguments, another limit or another N than the newest record's are left out:
    an earlier command made them.

    :param folder: of the application, with a folder for each run.
    """
    files = sorted(folder.glob(f"*/{_FILE}"), key=lambda file: file.stat().st_mtime)
    records = [record for file in files if (record := read_record(file.parent)) is not None]
    like = [record for record in records if record.judged == records[-1].judged]
    return sorted(like, key=lambda record: record.name)


def read_record(folder: Path) -> RunRecord | None:
    """The record of the run in ``folder``; None if there is none that can be read."""
    try:
        data = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        moments = [(float(began), ended) for began, ended in data.pop("lifetimes")]
        sequences = ("arguments", "scale_outs", "scale_ins", "step_errors")
        data |= {name: tuple(data[name]) for name in sequences}
        return RunRecord(**data, lifetimes=tuple(moments))
    except (OSError, ValueError, KeyError, TypeError):
        return None
