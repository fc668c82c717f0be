"""Real finish times against simulated finish times.

For each shape of `kitwai_lab.bench.workload` a run on `REFERENCE` workers gives the profile. The
simulator says when the application would end on other counts, constant or changed meanwhile. Real
runs say when it did end.

The constants are those of `kitwai bench calibrate`, which come from another application. They
belong to a machine and to how busy it is. Where other work uses the processors, workers start and
take their first tasks several times slower.
"""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError
from kitwai.event_log.reader import EventLog, read_event_log
from kitwai.event_log.to_profile import profile_of
from kitwai.event_log.warmup import first_task_cost_ms
from kitwai.sim.constants import MEASURED, constants, spark_config
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai_lab.bench.machine import machine
from kitwai_lab.bench.spark_run import Change, RealCluster, real_cluster

REFERENCE = 3
"""Workers of the run that gives the profile; no judged run has this count."""

SIZES = {"wide": 80, "rounds": 48, "skewed": 320}
"""The size that is judged, by shape. Runs take one to two minutes, so that the moment at which JVMs
start on a small machine does not decide the error."""

PROFILE_SIZES = {"wide": (24, 40, 64), "rounds": (15, 24, 36), "skewed": (96, 160, 240)}
"""Sizes whose profiles are kept for training, three a family; no judged run has such a size."""

_STEP_S = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Workers from the start on, and what changes."""

    workers: int
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        changes = "".join(f" → {change.workers} at {change.at_s:.0f} s" for change in self.changes)
        return f"{self.workers}{changes}"


PLANS = (
    Plan(1),
    Plan(1, (Change(30.0, 4),)),
    Plan(2),
    Plan(4),
    Plan(4, (Change(25.0, 2),)),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One real run and its simulation, in seconds from the application's start.

    ``real_first_s``, ``simulated_first_s``: when the first task began, which depends on what else
    the machine had to do; ``load``: its load average.
    """

    shape: str
    size: int
    plan: str
    real_s: float
    simulated_s: float
    real_first_s: float
    simulated_first_s: float
    load: float

    @property
    def error(self) -> float:
        """Simulated over real, less 1."""
        return self.simulated_s / self.real_s - 1.0


def measure_fidelity(
    logs: Path,
    profiles: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    measured: Path = MEASURED,
) -> dict[str, Any]:
    """Run everything whose event log is not in ``logs`` yet, and compare.

    :param profiles: where profiles of `PROFILE_SIZES` are written; None: nowhere.
    :param measured: the constants, as `kitwai bench calibrate` writes them.
    :raises InvalidInputError: the constants cannot be read.
    :raises KitwaiError: the cluster or an application did not work.
    """
    known = constants(measured)
    lacking = sorted(constants().keys() - known.keys())
    if lacking:
        raise InvalidInputError(f"The constants {measured} lack {', '.join(lacking)}.")
    logs.mkdir(parents=True, exist_ok=True)
    wanted = [(shape, size, plan) for plan in PLANS for shape, size in SIZES.items()]
    wanted[6:6] = [(shape, size, Plan(REFERENCE)) for shape, size in SIZES.items()]
    kept = [(shape, size) for shape, sizes in PROFILE_SIZES.items() for size in sizes]
    if profiles is not None:
        wanted += [(shape, size, Plan(REFERENCE)) for shape, size in kept]
    missing = [run for run in wanted if not _log(logs, *run).is_file()]
    if missing:
        with real_cluster() as cluster:
            for shape, size, plan in missing:
                progress(f"{shape} of size {size} on {plan} workers")
                _run(cluster, logs, shape, size, plan)
    if profiles is not None:
        for shape, size in kept:
            write_profile(_profile(logs, shape, size), profiles / f"{shape}-{size}.json")
    runs = [
        judge(logs, shape, size, plan, measured)
        for shape, size, plan in wanted
        if plan != Plan(REFERENCE)
    ]
    errors = [abs(run.error) for run in runs]
    return {
        "source": "kitwai bench fidelity",
        "machine": machine(),
        "reference_workers": REFERENCE,
        "constants": dict(known),
        "first_task_s": {
            shape: (first_task_cost_ms(_read(logs, shape, size, Plan(REFERENCE))) or 0.0) / 1000.0
            for shape, size in SIZES.items()
        },
        "median_error": statistics.median(errors),
        "worst_error": max(errors),
        "runs": [
            {key: round(v, 2) if isinstance(v, float) else v for key, v in asdict(run).items()}
            | {"error": round(run.error, 4)}
            for run in runs
        ],
    }


def judge(logs: Path, shape: str, size: int, plan: Plan, measured: Path = MEASURED) -> Judged:
    """Compare one real run with its simulation by the constants ``measured``."""
    log = _read(logs, shape, size, plan)
    profile = started_on(plan.workers, _profile(logs, shape, size), measured)
    return Judged(
        shape=shape,
        size=size,
        plan=str(plan),
        real_s=log.finish_s,
        simulated_s=simulate(profile, plan, _config(plan, measured)),
        real_first_s=(log.ran[0].tasks[0].launch_ms - log.start_ms) / 1000.0,
        simulated_first_s=profile.jobs[0][0].gap_ms / 1000.0,
        load=float(_load(_log(logs, shape, size, plan)).read_text(encoding="utf-8")),
    )


def started_on(
    workers: int, profile: ApplicationProfile, measured: Path = MEASURED
) -> ApplicationProfile:
    """The profile of an application that starts on ``workers`` instead of `REFERENCE` workers.

    The executors share the machine's processors while they start.
    """
    first = {stage.id for stage in profile.jobs[0] if not stage.parents}
    more_ms = 1000.0 * constants(measured)["application_stagger_s"] * (workers - REFERENCE)
    stages = tuple(
        replace(stage, gap_ms=max(0.0, stage.gap_ms + more_ms)) if stage.id in first else stage
        for stage in profile.stages
    )
    return replace(profile, stages=stages)


def simulate(
    profile: ApplicationProfile, plan: Plan, config: SimulatorConfig | None = None
) -> float:
    """When the application ends under the plan, in seconds from its start.

    :param config: of the cluster; by default made of the constants that come with Kitwai.
    """
    most = max([plan.workers, *(change.workers for change in plan.changes)])
    config = replace(config or _config(plan, MEASURED), step_s=_STEP_S)
    simulator = Simulator(Library([profile], most), 1, config)
    # One episode, so each of its arrays has one element.
    unit = np.ones(1, dtype=np.int64)
    simulator.reset(0 * unit, most * unit, np.full(1, np.inf), start_workers=plan.workers * unit)
    while not simulator.done[0]:
        reached = [change for change in plan.changes if change.at_s <= simulator.now[0]]
        simulator.step((reached[-1].workers if reached else plan.workers) * unit)
    return float(simulator.finish_s[0])


def write_profile(profile: ApplicationProfile, path: Path) -> None:
    """Write the profile as JSON, which `ApplicationProfile.from_dict` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(profile.to_dict()) + "\n", encoding="utf-8")


def _config(plan: Plan, measured: Path) -> SimulatorConfig:
    """The cluster by the measured constants.

    Some constants depend on how many workers start at once. For the start-up the plan's largest
    group counts, for the first tasks an average over the workers.
    """
    groups, there = [plan.workers], plan.workers
    for change in plan.changes:
        groups.append(max(0, change.workers - there))
        there = change.workers
    together = sum(group * group for group in groups) / sum(groups)
    config = spark_config(together=together, path=measured)
    later = max([1, *groups[1:]]) - 1
    delay_s = config.start_delay_s + later * constants(measured)["start_stagger_s"]
    # The workers of a group come nearly at once, not one after the other.
    return replace(config, start_delay_s=delay_s, start_stagger_s=0.0)


def _run(cluster: RealCluster, logs: Path, shape: str, size: int, plan: Plan) -> None:
    cluster.keep(plan.workers)
    run = cluster.run(shape, size, plan.changes)
    log = _log(logs, shape, size, plan)
    _load(log).write_text(f"{run.load:.2f}\n", encoding="utf-8")
    shutil.copyfile(run.event_log, log)


def _profile(logs: Path, shape: str, size: int) -> ApplicationProfile:
    return profile_of(_read(logs, shape, size, Plan(REFERENCE)), source="kitwai bench fidelity")


def _read(logs: Path, shape: str, size: int, plan: Plan) -> EventLog:
    return read_event_log(_log(logs, shape, size, plan))


def _log(logs: Path, shape: str, size: int, plan: Plan) -> Path:
    return logs / "-".join([shape, str(size), *_words(plan)])


def _words(plan: Plan) -> Sequence[str]:
    changes = (f"{change.workers}at{change.at_s:.0f}" for change in plan.changes)
    return [str(plan.workers), *changes]


def _load(log: Path) -> Path:
    return log.with_suffix(".load")
