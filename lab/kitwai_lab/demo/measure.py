"""What one run of the demo's application showed, and what follows from it.

`Run` is the record; its figures are computed here, from Spark's own event log, the pool's worker
lifetimes and the store, so that a run under Airflow and one with a constant count are measured
alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kitwai.core.records.observation import Observation, PoolWorker


@dataclass(frozen=True, slots=True)
class Sample:
    """The cluster at the moment ``at`` (epoch seconds). None: not known.

    ``workers`` serve, ``present`` counts those under way as well.
    """

    at: float
    workers: int | None = None
    present: int | None = None
    tasks_done: int | None = None
    tasks_total: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A target that was in force from the moment ``at`` (epoch seconds)."""

    at: float
    workers: int


@dataclass(frozen=True, slots=True)
class Application:
    """What Spark's event log says of a finished application; moments in epoch seconds.

    ``failed_tasks`` counts task attempts that failed; those that Spark itself took back do not.
    """

    started_at: float
    ended_at: float
    failed_tasks: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the application: under the autoscaler, or with a constant count of workers.

    ``scale_outs`` and ``scale_ins`` are the moments at which operations began; ``checkpoints`` the
    versions that decided.
    """

    name: str
    limit_s: float
    max_workers: int
    application: Application
    lifetimes: tuple[tuple[float, float | None], ...]
    samples: tuple[Sample, ...] = ()
    targets: tuple[Target, ...] = ()
    scale_outs: tuple[float, ...] = ()
    scale_ins: tuple[float, ...] = ()
    checkpoints: tuple[str, ...] = ()

    @property
    def finish_s(self) -> float:
        """Time from the application's start to its end."""
        return self.application.ended_at - self.application.started_at

    @property
    def hit(self) -> bool:
        """Whether the application ended within its limit."""
        return self.finish_s <= self.limit_s

    @property
    def worker_seconds(self) -> float:
        """From each worker's launch request to its removal, within the application's run."""
        start, end = self.application.started_at, self.application.ended_at
        return sum(
            max(0.0, min(ended or end, end) - max(began, start)) for began, ended in self.lifetimes
        )

    def during(self, moments: Iterable[float]) -> int:
        """How many of ``moments`` lie within the application's run."""
        start, end = self.application.started_at, self.application.ended_at
        return sum(1 for moment in moments if start <= moment <= end)


@dataclass(slots=True)
class Recorder:
    """Collects samples and worker lifetimes from what is observed, about once a second."""

    samples: list[Sample] = field(default_factory=list)
    _lifetimes: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    @property
    def lifetimes(self) -> tuple[tuple[float, float | None], ...]:
        """(launch request, removal or None) of every worker that was seen, epoch seconds."""
        return tuple(self._lifetimes.values())

    def add(self, observation: Observation) -> Sample:
        """Keep what ``observation`` shows."""
        sample = sample_of(observation)
        self.samples.append(sample)
        for worker in observation.pool or ():
            self._lifetimes[worker.name] = self._lifetime(worker, observation.at)
        return sample

    def _lifetime(self, worker: PoolWorker, now: float) -> tuple[float, float | None]:
        _, ended = self._lifetimes.get(worker.name, (worker.started_at, None))
        return worker.started_at, None if worker.alive else ended or now


def sample_of(observation: Observation) -> Sample:
    """The figures of ``observation`` that the demo follows."""
    stages = [stage for one in observation.applications or () for stage in one.stages or ()]
    return Sample(
        at=observation.at,
        workers=None if observation.serving is None else len(observation.serving),
        present=observation.present,
        tasks_done=sum(stage.complete for stage in stages) if stages else None,
        tasks_total=sum(stage.tasks for stage in stages) if stages else None,
    )


def read_event_log(folder: Path) -> Application | None:
    """The one application whose event log lies in ``folder``; None when it has not ended there."""
    started_at: float | None = None
    failed = 0
    for path in folder.glob("[!.]*"):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                kind = event["Event"]
                if kind == "SparkListenerApplicationStart":
                    started_at = event["Timestamp"] / 1000.0
                elif kind == "SparkListenerTaskEnd":
                    failed += _has_failed(event["Task End Reason"])
                elif kind == "SparkListenerApplicationEnd" and started_at is not None:
                    return Application(started_at, event["Timestamp"] / 1000.0, failed)
    return None


def _has_failed(reason: Mapping[str, object]) -> bool:
    return reason["Reason"] not in ("Success", "TaskKilled", "TaskCommitDenied")
