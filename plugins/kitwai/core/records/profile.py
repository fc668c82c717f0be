"""The record of a finished application: its stages and task times, from its event log.

This module owns the format (`ApplicationProfile.from_dict`) and the order in which Spark runs the
stages. A profile that exists is valid: building a faulty profile raises.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kitwai.errors import InvalidInputError

MAX_FILE_BYTES = 64 * 2**20
MAX_STAGES = 2_000
MAX_TASKS = 1_000_000
MAX_CORES = 64
MAX_TIME_MS = 7 * 24 * 3_600_000.0


@dataclass(frozen=True, slots=True)
class StageProfile:
    """One stage.

    ``task_ms``: run time of every task in ms, in launch order; ``gap_ms``: driver time between the
    end of its last parent and its first task. Bytes are None if not measured.

    A slot's first task of all is slower, and so is its first task of a stage. ``first_ms``: by
    position in ``task_ms``, how much of the time came from that; ``stage_first_ms``: how much
    longer a slot's first task of this stage takes than its later tasks.
    """

    id: int
    parents: tuple[int, ...]
    task_ms: tuple[float, ...]
    gap_ms: float = 0.0
    input_bytes: int | None = None
    shuffle_read_bytes: int | None = None
    shuffle_write_bytes: int | None = None
    first_ms: Mapping[int, float] = field(default_factory=dict)
    stage_first_ms: float = 0.0

    @property
    def work_ms(self) -> tuple[float, ...]:
        """The task times in ms without ``first_ms``: the times on warm slots."""
        if not self.first_ms:
            return self.task_ms
        return tuple(ms - self.first_ms.get(at, 0.0) for at, ms in enumerate(self.task_ms))


@dataclass(frozen=True)
class ApplicationProfile:
    """One application.

    ``family``: name of the recurring application; ``inputs``: numbers by which its runs differ;
    ``slowdown``: by number of task slots, the total task time over that of the reference (linear
    between, flat beyond); ``source``: where the profile is from; ``warm_up_ms``: how much longer
    the first task on a slot of an executor took, in ms, None if the run does not tell;
    ``workers``: how many served on average while its tasks ran, None if that is not known.

    :raises InvalidInputError: the profile has a fault; the message names it.
    """

    app: str
    family: str
    inputs: Mapping[str, float]
    cores_per_worker: int
    stages: tuple[StageProfile, ...]
    source: str
    slowdown: Mapping[int, float] = field(default_factory=dict)
    warm_up_ms: float | None = None
    workers: float | None = None

    def __post_init__(self) -> None:
        if self.warm_up_ms is not None and not 0 <= self.warm_up_ms <= MAX_TIME_MS:
            raise InvalidInputError(
                f"warm_up_ms is {self.warm_up_ms}, which is not in 0 ms..7 days"
            )
        if self.workers is not None and not 0 < self.workers < math.inf:
            raise InvalidInputError(f"workers is {self.workers}, which is no number of workers")
        if not 1 <= self.cores_per_worker <= MAX_CORES:
            raise InvalidInputError(
                f"cores_per_worker must lie in 1..{MAX_CORES}, not be {self.cores_per_worker}"
            )
        if not self.stages:
            raise InvalidInputError("it has no stages")
        if len(self.stages) > MAX_STAGES:
            raise InvalidInputError(f"it has more than {MAX_STAGES} stages")
        if sum(len(stage.task_ms) for stage in self.stages) > MAX_TASKS:
            raise InvalidInputError(f"it has more than {MAX_TASKS} tasks")
        known = {stage.id for stage in self.stages}
        if len(known) < len(self.stages):
            raise InvalidInputError("two stages have the same id")
        for stage in self.stages:
            _check_stage(stage, known)
        if self.work_s <= 0:
            raise InvalidInputError("none of its tasks takes any time")
        for slots, ratio in self.slowdown.items():
            if slots < 1 or not (math.isfinite(ratio) and 0 < ratio <= 1000):
                raise InvalidInputError(
                    f"slowdown at {slots} slots is {ratio}, which is no ratio in (0, 1000]"
                )
        if sum(len(job) for job in self.jobs) < len(self.stages):
            raise InvalidInputError("the parents of its stages form a cycle")

    @classmethod
    def from_dict(cls, data: object) -> ApplicationProfile:
        """The profile from a JSON object with this class's fields as keys.

        Each of its ``stages`` has the fields of `StageProfile`. Fields with a default may be
        missing; unknown keys are ignored.

        :raises InvalidInputError: the object has a fault; the message names it.
        """
        if not isinstance(data, dict):
            raise InvalidInputError("it is not a JSON object")
        try:
            return cls(
                app=str(data["app"]),
                family=str(data["family"]),
                inputs={str(k): _number(v) for k, v in dict(data["inputs"]).items()},
                cores_per_worker=_integer(data["cores_per_worker"]),
                stages=tuple(_stage(stage) for stage in data["stages"]),
                source=str(data["source"]),
                slowdown={int(k): _number(v) for k, v in data.get("slowdown", {}).items()},
                warm_up_ms=None if data.get("warm_up_ms") is None else _number(data["warm_up_ms"]),
                workers=None if data.get("workers") is None else _number(data["workers"]),
            )
        except KeyError as error:
            raise InvalidInputError(f"the key {error} is missing") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidInputError(f"a value has the wrong type ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads."""
        return asdict(self)

    @property
    def work_s(self) -> float:
        """Total task time in seconds at the reference, without ``first_ms``."""
        return sum(sum(stage.work_ms) for stage in self.stages) / 1000.0

    @cached_property
    def jobs(self) -> tuple[tuple[StageProfile, ...], ...]:
        """The stages of each job, parents first, and the jobs in the order of their lowest id.

        The format names no jobs. Stages that parents join belong to one job. Each job is submitted
        after the jobs before it have ended, and nothing shows it before.
        """
        children: dict[int, list[int]] = {stage.id: [] for stage in self.stages}
        missing = {stage.id: len(set(stage.parents)) for stage in self.stages}
        group = {stage.id: stage.id for stage in self.stages}

        def root(stage_id: int) -> int:
            while group[stage_id] != stage_id:
                group[stage_id] = group[group[stage_id]]
                stage_id = group[stage_id]
            return stage_id

        for stage in self.stages:
            for parent in set(stage.parents):
                children[parent].append(stage.id)
                first, second = sorted((root(parent), root(stage.id)))
                group[second] = first
        by_id = {stage.id: stage for stage in self.stages}
        jobs: dict[int, list[StageProfile]] = {}
        ready = [stage_id for stage_id, count in missing.items() if count == 0]
        heapq.heapify(ready)
        while ready:
            stage_id = heapq.heappop(ready)
            jobs.setdefault(root(stage_id), []).append(by_id[stage_id])
            for child in children[stage_id]:
                missing[child] -= 1
                if missing[child] == 0:
                    heapq.heappush(ready, child)
        return tuple(tuple(jobs[key]) for key in sorted(jobs))


def load_profile(path: Path) -> ApplicationProfile:
    """The profile in one JSON file.

    :raises InvalidInputError: naming the file and the fault.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InvalidInputError(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return ApplicationProfile.from_dict(json.loads(path.read_bytes()))
    except OSError as error:
        raise InvalidInputError(
            f"The profile {path} cannot be read: {error.strerror or error}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"The profile {path} is refused: it is not JSON.") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"The profile {path} is refused: {error}.") from error


def load_profiles(directory: Path) -> tuple[ApplicationProfile, ...]:
    """All profiles (``*.json``) of a directory, in the order of their file names.

    :raises InvalidInputError: for the first file with a fault, or when there is none.
    """
    if not directory.is_dir():
        raise InvalidInputError(f"The profile directory {directory} does not exist.")
    profiles = tuple(load_profile(path) for path in sorted(directory.glob("*.json")))
    if not profiles:
        raise InvalidInputError(f"The directory {directory} holds no profile (*.json).")
    return profiles


def _check_stage(stage: StageProfile, known: set[int]) -> None:
    for parent in stage.parents:
        if parent not in known:
            raise InvalidInputError(f"stage {stage.id} names the unknown parent {parent}")
        if parent == stage.id:
            raise InvalidInputError("the parents of its stages form a cycle")
    if not stage.task_ms:
        raise InvalidInputError(f"stage {stage.id} has no tasks")
    for time_ms in (stage.gap_ms, stage.stage_first_ms, *stage.task_ms):
        if not (math.isfinite(time_ms) and 0 <= time_ms <= MAX_TIME_MS):
            raise InvalidInputError(
                f"stage {stage.id} holds the time {time_ms} ms, which is not in 0 ms..7 days"
            )
    for at, first_ms in stage.first_ms.items():
        if not (0 <= at < len(stage.task_ms) and 0 <= first_ms <= stage.task_ms[at]):
            raise InvalidInputError(
                f"stage {stage.id} has no task {at} of at least {first_ms} ms, as first_ms says"
            )


def _stage(data: Any) -> StageProfile:
    return StageProfile(
        id=_integer(data["id"]),
        parents=tuple(_integer(parent) for parent in data["parents"]),
        task_ms=tuple(_number(time_ms) for time_ms in data["task_ms"]),
        gap_ms=_number(data["gap_ms"]),
        input_bytes=_bytes(data.get("input_bytes")),
        shuffle_read_bytes=_bytes(data.get("shuffle_read_bytes")),
        shuffle_write_bytes=_bytes(data.get("shuffle_write_bytes")),
        first_ms={int(k): _number(v) for k, v in data.get("first_ms", {}).items()},
        stage_first_ms=_number(data.get("stage_first_ms", 0.0)),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"{value!r} stands where a number is expected")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInputError(f"{value!r} stands where a whole number is expected")
    return value


def _bytes(value: object) -> int | None:
    if value is None:
        return None
    count = _integer(value)
    if count < 0:
        raise InvalidInputError(f"{count} stands where a number of bytes is expected")
    return count
