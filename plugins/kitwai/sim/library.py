"""The library: profiles packed into arrays, so that the simulator runs many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kitwai.core.forecast.arrays import Floats
from kitwai.core.records.profile import ApplicationProfile, StageProfile

Ints = NDArray[np.int64]

NONE = -1
"""Fills up rows that are shorter than the longest row."""


class Library:
    """P profiles, with their stages in the order in which they run.

    S is the number of stages of the longest profile, D the most stages that a stage waits for.

    ============= ============== =======================================================
    array         shape          meaning
    ============= ============== =======================================================
    task_s        [all tasks]    `work_ms` in seconds at the reference, stage after stage
    first_task    [P, S + 1]     index of a stage's first task in ``task_s``
    tasks         [P, S]         number of tasks, 0 beyond the last stage
    gap_s         [P, S]         driver time before the stage
    waits_for     [P, S, D]      positions of the stages that must end before, or NONE
    job           [P, S]         number of the stage's job, or NONE
    stages        [P]            number of stages
    cores         [P]            task slots a worker
    slowdown      [P, slots + 1] factor on task times at that many slots
    work_s        [P]            total task time at the reference
    family        [P]            number of the profile's family
    stage_first_s [P, S]         seconds that its first task on a slot takes more
    ============= ============== =======================================================
    """

    def __init__(self, profiles: Sequence[ApplicationProfile], max_workers: int = 10) -> None:
        """:param max_workers: the most workers an episode may use."""
        self.profiles = tuple(profiles)
        self.max_workers = max_workers
        count, most = len(profiles), max(len(profile.stages) for profile in profiles)
        ordered = [[stage for job in profile.jobs for stage in job] for profile in profiles]
        waits = [_waits_for(profile) for profile in profiles]
        depth = max(1, max(len(earlier) for rows in waits for earlier in rows))
        self.stages: Ints = np.array([len(stages) for stages in ordered])
        self.cores: Ints = np.array([profile.cores_per_worker for profile in profiles])
        self.work_s: Floats = np.array([profile.work_s for profile in profiles])
        names = [profile.family for profile in profiles]
        self.family: Ints = np.unique(names, return_inverse=True)[1]
        self.tasks: Ints = np.zeros((count, most), dtype=np.int64)
        self.gap_s: Floats = np.zeros((count, most))
        self.stage_first_s: Floats = np.zeros((count, most))
        self.waits_for: Ints = np.full((count, most, depth), NONE)
        self.job: Ints = np.full((count, most), NONE)
        for row, (profile, stages) in enumerate(zip(profiles, ordered, strict=True)):
            self.tasks[row, : len(stages)] = [len(stage.task_ms) for stage in stages]
            self.gap_s[row, : len(stages)] = [stage.gap_ms / 1000.0 for stage in stages]
            firsts = [stage.stage_first_ms / 1000.0 for stage in stages]
            self.stage_first_s[row, : len(stages)] = firsts
            self.job[row, : len(stages)] = [n for n, job in enumerate(profile.jobs) for _ in job]
            for position, earlier in enumerate(waits[row]):
                self.waits_for[row, position, : len(earlier)] = earlier
        self.task_s: Floats = np.concatenate(
            [np.asarray(stage.work_ms) for stages in ordered for stage in stages]
        )
        self.task_s /= 1000.0
        ends = np.cumsum(self.tasks.ravel()).reshape(self.tasks.shape)
        self.first_task: Ints = np.concatenate([ends[:, :1] - self.tasks[:, :1], ends], axis=1)
        self.slowdown = self._slowdown()

    def _slowdown(self) -> Floats:
        slots = np.arange(self.max_workers * int(self.cores.max()) + 1.0)
        table = np.ones((len(self.profiles), len(slots)))
        for row, profile in enumerate(self.profiles):
            if profile.slowdown:
                at = sorted(profile.slowdown)
                table[row] = np.interp(slots, at, [profile.slowdown[count] for count in at])
        return table


def _waits_for(profile: ApplicationProfile) -> list[list[int]]:
    """For every stage, in running order, the positions of the stages that must end before it.

    The first stages of a job wait for the last stages of the job before.
    """
    position = {
        stage.id: at for at, stage in enumerate(stage for job in profile.jobs for stage in job)
    }
    waits: list[list[int]] = []
    before: list[StageProfile] = []
    for job in profile.jobs:
        parents = {parent for stage in job for parent in stage.parents}
        for stage in job:
            earlier = set(stage.parents) or {last.id for last in before}
            waits.append(sorted(position[number] for number in earlier))
        before = [stage for stage in job if stage.id not in parents]
    return waits
