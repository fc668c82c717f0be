"""A seeded generator of application profiles, broad enough that nothing real looks foreign.

Every number below is a choice of this project, not a measurement. One profile is drawn so:

| part | distribution |
| --- | --- |
| work | log-uniform 20..8,000 slot seconds, over the stages by lognormal (sigma 1) weights |
| cores a worker | 1, 2 or 4 with weights .2, .6, .2 |
| jobs | one with weight .6, else uniform 2..6 |
| stages of a job | 1 + geometric (p .4), at most 8 |
| parents | all open branches, or none with weight .25 (a scan to be joined) |
| tasks of a stage | one with weight .15 (at most 20 s of work), else log-uniform 4..200 |
| mean task time | work / tasks, with tasks added or left out to keep it within 0.2..30 s |
| variation | lognormal, its sigma uniform 0.05..0.5 a profile |
| stragglers | in .25 of the profiles, 2 % of the tasks take uniform 2..5 x |
| driver gap | exponential; its mean uniform 0..1 s a profile, x 4 before a job |
| slowdown | none with weight .6; .25 contention (slots^a, a uniform 0..0.4); .15 a memory cliff: |
| | uniform 1.3..3 x at and below 2..8 slots |
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kitwai.core.estimate import Floats
from kitwai.sim.profile import ApplicationProfile, StageProfile

FAMILY = "synthetic"
_REFERENCE_SLOTS = 8


def synthetic_profiles(count: int, seed: int) -> tuple[ApplicationProfile, ...]:
    """``count`` profiles; the same seed gives the same ones, and a longer list begins like a
    shorter one.
    """
    streams = np.random.SeedSequence(seed).spawn(count)
    return tuple(
        _profile(f"{FAMILY}-{seed}-{number}", np.random.default_rng(stream))
        for number, stream in enumerate(streams)
    )


def _profile(name: str, rng: np.random.Generator) -> ApplicationProfile:
    work_s = _log_uniform(rng, 20.0, 8000.0)
    jobs = 1 if rng.random() < 0.6 else int(rng.integers(2, 7))
    per_job = np.minimum(rng.geometric(0.4, size=jobs), 8)
    weights = rng.lognormal(0.0, 1.0, size=per_job.sum())
    stage_work_s = work_s * weights / weights.sum()
    sigma = rng.uniform(0.05, 0.5)
    stragglers = 0.02 if rng.random() < 0.25 else 0.0
    mean_gap_ms = rng.uniform(0.0, 1000.0)
    stages: list[StageProfile] = []
    bounds = np.concatenate([[0], np.cumsum(per_job)])
    for first, end in pairwise(bounds.tolist()):
        leaves: list[int] = []
        for number in range(first, end):
            scan = number < end - 1 and rng.random() < 0.25
            parents = () if scan else tuple(leaves)
            leaves = [*leaves, number] if scan else [number]
            gap_ms = rng.exponential(mean_gap_ms) * (4.0 if number == first else 1.0)
            task_s = _task_times(rng, stage_work_s[number], sigma, stragglers)
            stages.append(
                StageProfile(
                    id=number,
                    parents=parents,
                    task_ms=tuple(np.round(task_s * 1000.0, 1).tolist()),
                    gap_ms=round(gap_ms, 1),
                )
            )
    return ApplicationProfile(
        app=name,
        family=name,
        inputs={"work_s": round(work_s, 1)},
        cores_per_worker=int(rng.choice([1, 2, 4], p=[0.2, 0.6, 0.2])),
        stages=tuple(stages),
        source="kitwai.sim.synthetic",
        slowdown=_slowdown(rng),
    )


def _task_times(rng: np.random.Generator, work_s: float, sigma: float, stragglers: float) -> Floats:
    """[tasks] run times in seconds of one stage."""
    if rng.random() < 0.15:
        tasks, work_s = 1, min(work_s, 20.0)
    else:
        tasks = round(_log_uniform(rng, 4.0, 200.0))
    least, most = int(np.ceil(work_s / 30.0)), max(1, int(work_s / 0.2))
    tasks = min(max(tasks, least), max(least, most))
    times = work_s / tasks * rng.lognormal(-0.5 * sigma**2, sigma, size=tasks)
    slow = rng.random(tasks) < stragglers
    return np.asarray(np.where(slow, times * rng.uniform(2.0, 5.0, size=tasks), times) + 1e-3)


def _slowdown(rng: np.random.Generator) -> dict[int, float]:
    kind = rng.random()
    if kind < 0.6:
        return {}
    if kind < 0.85:
        power = rng.uniform(0.0, 0.4)
        slots = (1, 2, 4, 8, 16, 40)
        return {one: round(float((one / _REFERENCE_SLOTS) ** power), 4) for one in slots}
    edge = int(rng.integers(2, 9))
    return {edge: round(float(rng.uniform(1.3, 3.0)), 4), edge + 2: 1.0}


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
