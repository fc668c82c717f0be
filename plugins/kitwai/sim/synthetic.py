"""Generates application families from a seed, broad enough that nothing real looks foreign.

A family is one application that recurs on different inputs. It has stages, a scale-out curve, and a
point where its memory ends. Every number below is a choice of this project, not a measurement. The
shapes are those of measured jobs: flat ends, memory cliffs, serial parts, skew.

| part | distribution |
| --- | --- |
| members of a family | 1 with weight .15, else 3..12; sizes log-uniform over a factor of 3..40 |
| work of the largest | log-uniform 200..40,000 slot seconds at 10 slots |
| work by size | size^a, a uniform 0.7..1.2; times lognormal, its sigma uniform 0..0.05 |
| second input | in half of the families, 2..5 levels: work x level^(-1..1); often memory too |
| cores a worker | 2 with weight .7, else 1 or 4 |
| stages | query: 4..16, scans joined two by two, small tasks behind shuffles (200 of them); |
| | iterations: 4..16 alike stages of 16..128 tasks; jobs: 1..6 jobs of 1..3 stages |
| serial part | in a third of the families, one stage of one task, 2..60 s |
| tasks | of size 64..256 MB-like blocks: number grows with the size in half of the families |
| variation | lognormal, its sigma log-uniform 0.01..0.4 a family; 2 % of x 2..5 in a tenth |
| driver gap | none in half, else exponential, its mean log-uniform 0.1..8 s a stage |
| contention | (slots / 10)^b beyond a knee of 1..12 slots, b uniform 0..0.9; none in a fifth |
| memory cliff | in .4 of the families: 1 + k x (1 - slots / need)^1..2 below ``need`` slots, |
| | which grows with the size; k log-uniform 0.3..30 |
| drawn curve | in .2 of the families a lognormal bend of sigma 0.03..0.1 at each slot count |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Floats
from kitwai.core.records.profile import ApplicationProfile, StageProfile

FAMILY = "synthetic"

HELD_OUT_SEED = 1_000_003
"""Seed of the profiles to judge on, or the offset from the training's seed."""

GATE_SEED = 2_000_003
"""Seed of the gate's profiles. On the profiles on which a network was selected it would look better
than it is."""

_REFERENCE_SLOTS = 10.0
_SLOTS = np.array([1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40])
_MOST_TASKS = 4000


@dataclass(frozen=True, slots=True)
class _Plan:
    """The stages of a family: positions of parents, shares of the work, task counts."""

    parents: list[tuple[int, ...]]
    share: Floats
    tasks: list[int]
    grows: list[bool]
    serial_s: Floats


def synthetic_profiles(count: int, seed: int) -> tuple[ApplicationProfile, ...]:
    """``count`` profiles, family after family.

    The same seed gives the same profiles, and a longer list begins like a shorter list.
    """
    profiles: list[ApplicationProfile] = []
    stream = np.random.SeedSequence(seed)
    number = 0
    while len(profiles) < count:
        rng = np.random.default_rng(stream.spawn(1)[0])
        profiles += _family(f"{FAMILY}-{seed}-{number}", rng)
        number += 1
    return tuple(profiles[:count])


def _family(name: str, rng: np.random.Generator) -> list[ApplicationProfile]:
    members = 1 if rng.random() < 0.15 else int(rng.integers(3, 13))
    plan = _plan(rng)
    spread = np.log(_log_uniform(rng, 3.0, 40.0))
    sizes = np.exp(-spread * rng.random(members))
    largest = _log_uniform(rng, 200.0, 40_000.0)
    power = rng.uniform(0.7, 1.2)
    noise = rng.uniform(0.0, 0.05)
    second = rng.random() < 0.5
    levels = np.sort(rng.uniform(0.2, 1.0, size=int(rng.integers(2, 6))))
    by_level, memory_level = rng.uniform(-1.0, 1.0), rng.choice([0.0, 1.0])
    cores = int(rng.choice([2, 2, 2, 2, 2, 2, 2, 1, 1, 4]))
    sigma = _log_uniform(rng, 0.01, 0.4)
    skewed = rng.random() < 0.1
    gap_s = 0.0 if rng.random() < 0.5 else _log_uniform(rng, 0.1, 8.0)
    gap_by_size = rng.random() < 0.3
    curve = _Curve.draw(rng)
    profiles = []
    for number in range(members):
        size = float(sizes[number])
        level = float(rng.choice(levels)) if second else 1.0
        work = largest * size**power * level**by_level * rng.lognormal(0.0, noise)
        times = [
            _task_times(rng, plan, stage, work, size, sigma, skewed)
            for stage in range(len(plan.parents))
        ]
        gaps = rng.exponential(gap_s, size=len(times)) if gap_s else np.zeros(len(times))
        if gap_by_size:
            gaps = gaps * size
        stages = tuple(
            StageProfile(
                id=stage,
                parents=plan.parents[stage],
                task_ms=tuple(np.round(times[stage] * 1000.0, 1).tolist()),
                gap_ms=round(float(gaps[stage]) * 1000.0, 1),
            )
            for stage in range(len(times))
        )
        inputs = {"size": round(size * 1000.0, 2)}
        if second:
            inputs["level"] = round(level, 3)
        profiles.append(
            ApplicationProfile(
                app=f"{name}-{number}",
                family=name,
                inputs=inputs,
                cores_per_worker=cores,
                stages=stages,
                source="kitwai.sim.synthetic",
                slowdown=curve.slowdown(rng, size * (level if memory_level else 1.0)),
            )
        )
    return profiles


@dataclass(frozen=True, slots=True)
class _Curve:
    """Total task time by slots: contention beyond a knee, a cliff where memory ends, a bend."""

    power: float
    knee: float
    cliff: float
    need: float
    sharpness: float
    need_power: float
    bend: Floats
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Curve:
        power = 0.0 if rng.random() < 0.2 else rng.uniform(0.0, 0.9)
        bend = rng.uniform(0.03, 0.1) if rng.random() < 0.2 else 0.0
        return cls(
            power=power,
            knee=_log_uniform(rng, 1.0, 12.0),
            cliff=_log_uniform(rng, 0.3, 30.0) if rng.random() < 0.4 else 0.0,
            need=_log_uniform(rng, 4.0, 30.0),
            sharpness=rng.uniform(1.0, 2.0),
            need_power=rng.uniform(0.5, 1.0),
            bend=rng.lognormal(0.0, bend, size=len(_SLOTS)),
            noise=rng.uniform(0.0, 0.03),
        )

    def slowdown(self, rng: np.random.Generator, size: float) -> dict[int, float]:
        need = self.need * size**self.need_power
        ratio = np.maximum(_SLOTS, self.knee) / max(_REFERENCE_SLOTS, self.knee)
        time = ratio**self.power * self.bend
        time = time * rng.lognormal(0.0, self.noise, size=len(_SLOTS))
        short = np.clip(1.0 - _SLOTS / need, 0.0, 1.0)
        time = time * (1.0 + self.cliff * short**self.sharpness)
        return {int(n): round(float(t), 4) for n, t in zip(_SLOTS, time, strict=True)}


def _plan(rng: np.random.Generator) -> _Plan:
    kind = rng.choice(["query", "iterations", "jobs"], p=[0.45, 0.3, 0.25])
    if kind == "iterations":
        count = int(rng.integers(4, 17))
        tasks = round(_log_uniform(rng, 16.0, 128.0))
        spread = rng.choice([0.0, 0.1, 0.4])
        return _Plan(
            parents=_chains(rng, count, jobs=1 if rng.random() < 0.6 else int(rng.integers(2, 5))),
            share=_normed(rng.lognormal(0.0, spread, size=count)),
            tasks=[tasks] * count,
            grows=[bool(rng.random() < 0.5)] * count,
            serial_s=np.zeros(count),
        )
    if kind == "jobs":
        jobs = int(rng.integers(1, 7))
        count = jobs * int(rng.integers(1, 4))
        parents = _chains(rng, count, jobs)
    else:
        count = int(rng.integers(4, 17))
        parents = _joins(rng, count)
    share = rng.lognormal(0.0, 1.2, size=count)
    many = [round(_log_uniform(rng, 2.0, 300.0)) for _ in range(count)]
    grows = [bool(rng.random() < 0.5) for _ in range(count)]
    serial = np.zeros(count)
    if rng.random() < 0.33:
        serial[rng.integers(count)] = _log_uniform(rng, 2.0, 60.0)
    if kind == "query":
        for stage in range(count):
            if parents[stage] and rng.random() < 0.6:
                many[stage], grows[stage] = 200, False
                share[stage] *= _log_uniform(rng, 0.005, 0.2)
    return _Plan(parents, _normed(share), many, grows, serial)


def _chains(rng: np.random.Generator, count: int, jobs: int) -> list[tuple[int, ...]]:
    """Stages one after another, cut into jobs."""
    jobs = min(jobs, count)
    heads = (
        {0, *rng.choice(np.arange(1, count), size=jobs - 1, replace=False)} if count > 1 else {0}
    )
    return [() if stage in heads else (stage - 1,) for stage in range(count)]


def _joins(rng: np.random.Generator, count: int) -> list[tuple[int, ...]]:
    """One job: scans, joined two by two, then a chain."""
    parents: list[tuple[int, ...]] = []
    loose: list[int] = []
    for stage in range(count):
        left = count - stage
        if len(loose) < 2 or (len(loose) < left - 1 and rng.random() < 0.4):
            scan = len(loose) == 0 or (len(loose) == 1 and left > 2 and rng.random() < 0.6)
            parents.append(() if scan else (loose.pop(),))
        else:
            take = len(loose) if left == 1 else 2
            parents.append(tuple(sorted(loose[-take:])))
            del loose[-take:]
        loose.append(stage)
    return parents


def _task_times(
    rng: np.random.Generator,
    plan: _Plan,
    stage: int,
    work: float,
    size: float,
    sigma: float,
    skewed: bool,
) -> Floats:
    """[tasks] run times in seconds of one stage."""
    if plan.serial_s[stage] > 0:
        return np.array([plan.serial_s[stage] * size**0.5])
    total = max(work * float(plan.share[stage]), 0.01)
    tasks = plan.tasks[stage]
    if plan.grows[stage]:
        tasks = max(1, round(tasks * size))
    # No task is longer than a minute or shorter than 5 ms.
    tasks = int(np.clip(tasks, np.ceil(total / 60.0), max(1.0, total / 0.005)))
    tasks = min(tasks, _MOST_TASKS)
    times = total / tasks * rng.lognormal(-0.5 * sigma**2, sigma, size=tasks)
    if skewed:
        slow = rng.random(tasks) < 0.02
        times = np.where(slow, times * rng.uniform(2.0, 5.0, size=tasks), times)
    return np.asarray(np.maximum(times, 1e-3))


def _normed(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
