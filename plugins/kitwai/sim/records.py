"""From application profiles to the records that beliefs are made of (`kitwai.core.history`)."""

from __future__ import annotations

import numpy as np

from kitwai.core.belief import Prior, unknown
from kitwai.core.history import Record, prior_of
from kitwai.core.stages import makespan
from kitwai.core.view import Bools
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig


def records_of(library: Library) -> tuple[Record, ...]:
    """One record a profile; its finish times at every worker count are simulated."""
    profiles, counts = len(library.profiles), library.max_workers
    simulator = Simulator(library, profiles * counts, SimulatorConfig(step_s=1e9))
    workers = np.tile(np.arange(1, counts + 1), profiles)
    simulator.reset(
        np.repeat(np.arange(profiles), counts),
        workers,
        np.ones(profiles * counts),
        start_workers=workers,
    )
    simulator.step(workers)
    finish_s = simulator.finish_s.reshape(profiles, counts)
    records = []
    targets = np.arange(1, counts + 1)
    for row, profile in enumerate(library.profiles):
        stages = library.stages[row]
        tasks = library.tasks[row, :stages].astype(np.float64)
        first = library.first_task[row]
        work = np.array(
            [
                library.task_s[first[s] : first[s] + tasks[s].astype(int)].sum()
                for s in range(stages)
            ]
        )
        slots = targets * library.cores[row]
        slowdown = library.slowdown[row, slots]
        rates = makespan(tasks[None], slots[None].astype(np.float64))[0]
        gap = library.gap_s[row, :stages]
        # A stage's first task on each slot takes more: in all, the more slots there are.
        firsts = library.stage_first_s[row, :stages, None] * np.minimum(tasks[:, None], slots)
        by_rates = (rates * (work / tasks)[:, None]).sum(axis=0) * slowdown
        by_rates += (rates * firsts / tasks[:, None]).sum(axis=0)
        loss = np.log(np.maximum(finish_s[row] - gap.sum(), 1e-3) / np.maximum(by_rates, 1e-3))
        records.append(
            Record(
                inputs=profile.inputs,
                stage_work_s=np.maximum(work + firsts.mean(axis=1), 1e-6),
                stage_tasks=tasks,
                gap_s=gap,
                level=np.log(work.sum() * slowdown + firsts.sum(axis=0)),
                loss=np.clip(loss, -1.0, 1.0),
                cores=int(library.cores[row]),
            )
        )
    return tuple(records)


def priors_of(library: Library) -> Prior:
    """What the other runs of its family tell of each profile, [P]."""
    records = records_of(library)
    stages, counts = library.tasks.shape[1], library.max_workers
    family: dict[str, list[int]] = {}
    for row, profile in enumerate(library.profiles):
        family.setdefault(profile.family, []).append(row)
    priors = []
    for profile in library.profiles:
        others = [
            records[other]
            for other in family[profile.family]
            if records[other].inputs != profile.inputs
        ]
        priors.append(prior_of(others, profile.inputs, counts, stages))
    return Prior.stack(priors)


def prior_for(library: Library, known: Prior, profile: np.ndarray, informed: Bools) -> Prior:
    """[B] priors of episodes: of the profile's family where informed, else of nothing."""
    nothing = unknown(len(profile), known.level.shape[1], known.share.shape[1])
    own = known.take(profile)
    fields = {}
    for name in Prior.__slots__:
        a, b = getattr(own, name), getattr(nothing, name)
        fields[name] = np.where(informed.reshape(-1, *[1] * (a.ndim - 1)), a, b)
    return Prior(**fields)
