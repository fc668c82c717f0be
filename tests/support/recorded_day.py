"""A day that a simulated cluster had under real decisions, in a real store with its event logs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from builders import executor, pool_worker, settings, worker
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.arrays import View
from kitwai.core.policy.policy import PRIOR, NetworkPolicy, array_shapes
from kitwai.core.policy.state import FEATURE_NAMES
from kitwai.core.records.observation import Application, Observation, Ran, Stage
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.registry.history_file import history_text
from kitwai.registry.versions import RUNS, WEIGHTS, load_policy, load_runs, save_version
from kitwai.sim.arrivals import Day, DayConfig
from kitwai.sim.day import DayResult, run_day
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.simulator import Realisation, SimulatorConfig
from kitwai.store.store import Store
from kitwai.store.training import Run, TrainingStore

START = 1_800_000_000.0
"""When the day began (epoch seconds)."""

CLUSTER = "test"
MOST = 6
SETTINGS = settings(MOST, 400.0, cooldown_out_s=0.0, cooldown_in_s=0.0)


def profile(family: str, size: float, app: str, cores: int = 2) -> ApplicationProfile:
    """Two stages of tasks that take as long as the run is large."""
    base = {"sort": (40, 5000.0), "join": (24, 9000.0)}[family]
    rng = np.random.default_rng(round(size * 10))
    times = [tuple(base[1] * size * rng.lognormal(0.0, 0.1, base[0]).round(4)) for _ in range(2)]
    stages = (StageProfile(0, (), times[0], 2000.0), StageProfile(1, (0,), times[1], 500.0))
    return ApplicationProfile(app, family, {"size": size}, cores, stages, "test")


def past(*, before: float = START) -> list[Run]:
    """Runs of both families that ended before the day."""
    profiles = [
        profile(family, size, f"past-{family}-{size}")
        for family in ("sort", "join")
        for size in (0.6, 1.0, 1.6)
    ]
    return [Run(one, before - 9000.0, before - 8000.0 + at) for at, one in enumerate(profiles)]


def save_checkpoint(
    root: Path,
    version: str,
    runs: Sequence[ApplicationProfile] = (),
    *,
    scale: float = 0.0,
    trusted: bool = True,
    created: str = "2026-01-01T00:00:00+00:00",
    **changes: object,
) -> None:
    """A version whose network is off by as much as ``scale``; of 0 it agrees with the forecast."""
    rng = np.random.default_rng(len(version))
    arrays = {
        name: rng.normal(0.0, scale, shape).astype(np.float32)
        for name, shape in array_shapes(8).items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    manifest = {
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "prices": {"0.01": 2.5, "0.05": 1.3, "0.2": 0.3},
        "trusted": {"informed": trusted, "uninformed": trusted},
        "created": created,
    }

    def write(folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(buffer.getvalue())
        if runs:
            (folder / RUNS).write_text(history_text(history_of(Library(runs))))

    save_version(root, version, manifest | changes, write)


@dataclass
class Recorder:
    """A controller of `run_day` that keeps what it sees and decides as the DAG would."""

    store: Store
    policy: NetworkPolicy
    history: dict
    arrival_s: np.ndarray
    steps: int = 0

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        self.profiles = library.profiles
        self.limit_s = episodes.limit_s

    def targets(self, view: View) -> np.ndarray:
        running = np.flatnonzero(~view.over & ~view.ended.all(axis=1))
        at = START + float(self.arrival_s[running[0]] + view.now[running[0]])
        seen = observation(view, running, self.profiles, self.limit_s, at)
        decision = decide(seen, SETTINGS, self.policy, now=at + 1.0, history=self.history)
        self.store.add_decision(decision, self.store.add_observation(seen), SETTINGS)
        self.steps += 1
        targets = np.maximum(view.workers, 1)
        for row, one in zip(running, decision.applications, strict=True):
            targets[row] = one.target
        return targets

    def idle(self, workers: np.ndarray, step_s: float) -> None:
        """The steps at which no application ran; ``workers`` [K]: those that were there."""
        busy = {one.decision.at for one in self.store.decisions(CLUSTER)}
        for step, count in enumerate(workers):
            at = START + step * step_s
            if at not in busy:
                there = range(int(count))
                seen = Observation(
                    cluster=CLUSTER,
                    at=at,
                    workers=tuple(worker(n) for n in there),
                    pool=tuple(pool_worker(n) for n in there),
                    applications=(),
                )
                decision = decide(seen, SETTINGS, self.policy, now=at, history=self.history)
                self.store.add_decision(decision, self.store.add_observation(seen), SETTINGS)
                self.steps += 1


def observation(
    view: View, running: Sequence[int], profiles: Sequence[ApplicationProfile], limit_s, at: float
) -> Observation:
    """What the observers would have shown of the simulated cluster."""
    applications, total, serving = [], 0, 0
    for row in running:
        hosts = range(total, total + int(view.workers[row]))
        applications.append(
            Application(
                id=profiles[row].app,
                name=profiles[row].family,
                cores=2,
                elapsed_s=float(view.now[row]),
                limit_s=float(limit_s[row]),
                executors=tuple(executor(n) for n in hosts),
                stages=stages(view, row),
                inputs=profiles[row].inputs,
            )
        )
        total += int(view.workers[row])
        serving += int(view.serving[row])
    return Observation(
        cluster=CLUSTER,
        at=at,
        workers=tuple(worker(n) for n in range(serving)),
        pool=tuple(pool_worker(n) for n in range(total)),
        applications=tuple(applications),
    )


def stages(view: View, row: int) -> tuple[Stage, ...]:
    found = []
    for at in np.flatnonzero(view.tasks[row] > 0):
        ran = tuple(
            Ran(int(n), int(view.cell_n[row, at, n]), float(view.cell_s[row, at, n]) * 1000.0)
            for n in np.flatnonzero(view.cell_n[row, at] > 0)
        )
        times = [float(one[row, at]) for one in (view.began_s, view.ended_s)]
        found.append(
            Stage(
                id=int(at),
                status="COMPLETE" if view.ended[row, at] else "ACTIVE",
                tasks=int(view.tasks[row, at]),
                active=int(view.active[row, at]),
                complete=int(view.complete[row, at]),
                failed=0,
                run_ms=float(view.run_s[row, at]) * 1000.0,
                input_bytes=0,
                shuffle_read_bytes=0,
                shuffle_write_bytes=0,
                began_s=times[0] if np.isfinite(times[0]) else None,
                ended_s=times[1] if np.isfinite(times[1]) else None,
                ran=ran,
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class Recorded:
    """The store, the registry, and how the day went. ``ran``: with their event logs."""

    store: Store
    root: Path
    version: str
    ran: tuple[Run, ...]
    result: DayResult
    steps: int
    until: float

    @property
    def training(self) -> TrainingStore:
        return TrainingStore(self.store.engine)


def record_day(folder: Path, seed: int = 0, *, scale: float = 0.0) -> Recorded:
    """Seven applications, some at once, decided by a checkpoint that knows the past runs."""
    rng = np.random.default_rng(seed)
    count = 7
    step_s = 15.0
    sizes = rng.uniform(0.7, 1.5, count).round(2)
    families = ["sort" if one else "join" for one in rng.random(count) < 0.5]
    profiles = [
        profile(family, float(size), f"app-{at}")
        for at, (family, size) in enumerate(zip(families, sizes, strict=True))
    ]
    arrival_s = np.sort(np.floor(rng.uniform(0.0, 1500.0, count) / step_s) * step_s)
    arrival_s -= arrival_s[0]
    root = folder / "models"
    save_checkpoint(root, "champion-1", [run.profile for run in past()], scale=scale)
    (root / "champion").write_text("champion-1\n")
    store = Store(f"sqlite:///{folder / 'kitwai.db'}")
    recorder = Recorder(
        store, load_policy(root, "champion-1"), load_runs(root, "champion-1"), arrival_s
    )
    simulator = SimulatorConfig(step_s=step_s, start_workers=MOST)
    library = Library(profiles)
    episodes = Episodes(
        profile=np.arange(count),
        max_workers=np.full(count, MOST),
        limit_s=rng.uniform(130.0, 280.0, count).round(),
        miss=np.full(count, 0.01),
        informed=np.ones(count, dtype=np.bool_),
        realisation=Realisation.calm(count),
    )
    config = DayConfig(cluster_workers=MOST, min_workers=1, keep_idle_s=SETTINGS.quiet_s, hours=0.5)
    feasible = np.ones(count, dtype=np.bool_)
    day = Day(library, config, simulator, arrival_s, episodes, feasible)
    result = run_day(day, recorder)
    recorder.idle(result.workers, step_s)
    training = TrainingStore(store.engine)
    ran = tuple(
        Run(one, START + began, START + began + finish)
        for one, began, finish in zip(profiles, arrival_s, result.finish_s, strict=True)
    )
    for at, run in enumerate([*past(), *ran]):
        training.add_run(f"log-{at}", "1", run)
    return Recorded(store, root, "champion-1", ran, result, recorder.steps, START + 3600.0)


def without_log(recorded: Recorded, app: str) -> None:
    """As if the event log of an application had told nothing."""
    names = [run.profile.app for run in [*past(), *recorded.ran]]
    recorded.training.set_aside(f"log-{names.index(app)}", "2", "it was cut")
