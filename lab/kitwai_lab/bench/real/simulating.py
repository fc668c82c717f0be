"""The same applications in Kitwai's simulator, made of the profiles of their real runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.policy.state import TARGETS
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import KitwaiError
from kitwai.event_log.files import find_logs
from kitwai.event_log.folder import read_log
from kitwai.registry.champion import Champion
from kitwai.sim.constants import spark_config
from kitwai.sim.episodes import DEFAULT_MISS, Episodes, calm
from kitwai.sim.judging import Judge, Outcome
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.simulator import Simulator, SimulatorConfig
from kitwai_lab.bench.real.again import past_runs
from kitwai_lab.bench.real.planning import KNOWN, UNKNOWN, constant_runs
from kitwai_lab.bench.real.record import RunRecord

_NAME = "simulated"


def simulate(folder: Path, champion: Champion, step_s: float) -> dict[str, Any]:
    """The figures of an application's runs in the simulator: constant, unknown and known.

    As in reality, a constant count is there from the start, and Kitwai starts with one worker. What
    Kitwai knows in ``known`` is the file of past runs that the real run knew.

    :param folder: of the application.
    :raises KitwaiError: no constant run succeeded, or none gives a profile.
    """
    records = constant_runs(folder)
    if not records:
        raise KitwaiError("No constant run succeeded.")
    most, limit_s = records[0].max_workers, records[0].limit_s
    profile = profile_of_runs(folder, records)
    library = Library([profile], max(TARGETS, most))
    config = spark_config(step_s=step_s, start_workers=1)
    constants = _constants(library, most, limit_s, config)
    history = champion.history(past_runs(folder))
    kitwai = _kitwai(library, most, limit_s, config, champion, history)
    met = [figures["worker_seconds"] for figures in constants.values() if figures["hit"]]
    best = min(met, default=None)
    for figures in (*constants.values(), *kitwai.values()):
        figures["ratio"] = round(figures["worker_seconds"] / best, 3) if best else None
    return {"constants": constants, **kitwai}


def profile_of_runs(folder: Path, records: Sequence[RunRecord]) -> ApplicationProfile:
    """One profile of the constant runs of an application.

    Stages and tasks are those of the run on the middle count. How much longer or shorter the tasks
    took in all on the other counts is its ``slowdown``.

    :raises KitwaiError: a run gives no profile.
    """
    profiles = {record.constant or 1: _profile(folder / record.name) for record in records}
    reference = profiles[sorted(profiles)[len(profiles) // 2]]
    slowdown = {
        count * profile.cores_per_worker: profile.work_s / reference.work_s
        for count, profile in profiles.items()
    }
    # Past runs with another id than the profile's are the past of the simulated run.
    return replace(reference, app=_NAME, slowdown=slowdown)


def _profile(folder: Path) -> ApplicationProfile:
    for files in find_logs(folder / "events"):
        log = read_log(files)
        if log.profile is not None:
            return log.profile
        raise KitwaiError(f"{files.source} gives no profile: {log.reason}.")
    raise KitwaiError(f"{folder} holds no event log.")


def _constants(
    library: Library, most: int, limit_s: float, config: SimulatorConfig
) -> dict[str, dict[str, Any]]:
    # Nothing changes in these runs, so that one step can last to their end.
    simulator = Simulator(library, most, replace(config, step_s=1e9))
    counts = np.arange(1, most + 1)
    nothing = np.zeros(most, dtype=np.int64)
    simulator.reset(nothing, counts, np.full(most, limit_s), start_workers=counts)
    simulator.step(counts)
    outcome = Outcome(simulator.finish_s, simulator.worker_seconds, nothing)
    return {str(count): _figures(outcome, count - 1, limit_s) for count in counts.tolist()}


def _kitwai(
    library: Library,
    most: int,
    limit_s: float,
    config: SimulatorConfig,
    champion: Champion,
    history: Mapping[str, Sequence[Record]],
) -> dict[str, dict[str, Any]]:
    regimes = (UNKNOWN, KNOWN)
    count = len(regimes)
    episodes = Episodes(
        profile=np.zeros(count, dtype=np.int64),
        max_workers=np.full(count, most, dtype=np.int64),
        limit_s=np.full(count, limit_s),
        miss=np.full(count, DEFAULT_MISS),
        informed=np.array([regime == KNOWN for regime in regimes]),
        realisation=calm(count, np.random.default_rng(0)),
    )
    policy = champion.policy or ForecastPolicy()
    judge = Judge(library, episodes, config)
    outcome = judge.run(PolicyController(policy, history=history))
    return {regime: _figures(outcome, row, limit_s) for row, regime in enumerate(regimes)}


def _figures(outcome: Outcome, row: int, limit_s: float) -> dict[str, Any]:
    finish_s = float(outcome.finish_s[row])
    return {
        "finish_s": round(finish_s, 1),
        "hit": finish_s <= limit_s,
        "worker_seconds": round(float(outcome.worker_seconds[row]), 1),
        "operations": int(outcome.operations[row]),
    }
