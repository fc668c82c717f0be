"""What one run of the demo's application showed, and what follows from it.

`Run` is the record. Its figures come from Spark's own event log, the pool's worker lifetimes and
the store. So a run under Airflow and a run with a constant count are measured alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kitwai.core.records.observation import Observation, PoolWorker
from kitwai.errors import InvalidInputError
from kitwai.event_log import reader as event_log
from kitwai.event_log.files import find_logs
from kitwai_lab.event_log import read_losses


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

    ``failed_tasks`` counts attempts of tasks that failed, without those that Spark took back.
    """

    started_at: float
    ended_at: float
    failed_tasks: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the application: under the autoscaler, or with a constant count of workers.

    ``lifetimes``: launch request and removal of each worker. ``scale_outs`` and ``scale_ins``: when
    operations began. ``checkpoints``: the versions that decided. Moments are epoch seconds.
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
    """Collects samples and worker lifetimes from observations, about once a second."""

    samples: list[Sample] = field(default_factory=list)
    _lifetimes: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    @property
    def lifetimes(self) -> tuple[tuple[float, float | None], ...]:
        """(launch request, removal or None) of each worker seen, in epoch seconds."""
        return tuple(self._lifetimes.values())

    def add(self, observation: Observation) -> Sample:
        """Keep the sample that ``observation`` gives, and return it."""
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
    applications = observation.applications or ()
    stages = [stage for application in applications for stage in application.stages or ()]
    return Sample(
        at=observation.at,
        workers=None if observation.serving is None else len(observation.serving),
        present=observation.present,
        tasks_done=sum(stage.complete for stage in stages) if stages else None,
        tasks_total=sum(stage.tasks for stage in stages) if stages else None,
    )


def read_event_log(folder: Path) -> Application:
    """The one application whose event log lies in ``folder``.

    :raises InvalidInputError: there is no event log, or the application has not ended.
    """
    files = next(find_logs(folder), None)
    if files is None:
        raise InvalidInputError(f"The folder {folder} holds no event log.")
    log = event_log.read_event_log(Path(files.source))
    with Path(files.source).open("rb") as lines:
        losses = read_losses(lines)
    return Application(log.start_ms / 1000.0, (log.end_ms or 0.0) / 1000.0, losses.failed_tasks)
