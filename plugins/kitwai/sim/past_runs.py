"""Makes past runs (`kitwai.core.forecast.past_runs.Record`) and priors from profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats
from kitwai.core.forecast.past_runs import KNOWN_WEIGHT, Record, comparable, prior_of
from kitwai.core.forecast.prior import Prior, unknown
from kitwai.core.forecast.stage_times import gaps, makespan
from kitwai.sim.library import Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

History = Mapping[str, Sequence[Record]]
"""Past runs by the name of the application."""


def records_of(library: Library) -> tuple[Record, ...]:
    """One record a profile, with simulated finish times at every worker count."""
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
    # Stages that overlap on few workers may not on many: the gaps are those on the middle count.
    gaps_s = gaps(simulator.view())[(counts - 1) // 2 :: counts]
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
        gap = gaps_s[row, :stages]
        # A stage's first task on each slot takes more, so more slots cost more in all.
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
                app=profile.app,
                warm_up_s=None if profile.warm_up_ms is None else profile.warm_up_ms / 1000.0,
                workers=None if profile.slowdown else profile.workers,
            )
        )
    return tuple(records)


def priors_of(library: Library, history: History | None = None) -> Prior:
    """[P] priors of the library's profiles, each from the other runs of its family.

    Only runs count that a live decision would use (`kitwai.core.forecast.past_runs.comparable`).

    :param history: past runs by family; the profile's own run does not count. None: the library's
        own profiles with other inputs.
    """
    counts, stages = library.max_workers, library.tasks.shape[1]
    known = history_of(library) if history is None else history
    priors = []
    for profile in library.profiles:
        records = [
            record
            for record in known.get(profile.family, ())
            if (
                record.inputs != profile.inputs
                if history is None and profile.inputs
                else record.app != profile.app
            )
        ]
        fit = comparable(records, counts, profile.cores_per_worker)
        priors.append(prior_of(fit, profile.inputs, counts, stages))
    return Prior.stack(priors)


def history_of(library: Library) -> dict[str, list[Record]]:
    """The library's runs by family."""
    history: dict[str, list[Record]] = {}
    for profile, record in zip(library.profiles, records_of(library), strict=True):
        history.setdefault(profile.family, []).append(record)
    return history


def prior_for(
    library: Library, known: Prior, profile: np.ndarray, informed: Bools, warm_up_s: Floats
) -> Prior:
    """[B] priors of episodes: the profile's where informed, else the unknown prior.

    :param known: [P] `priors_of` the library; ``profile``: [B] positions; ``informed``: [B];
        ``warm_up_s``: [B] of the episodes' cluster, which past runs have shown.
    """
    nothing = unknown(len(profile), known.level.shape[1], known.share.shape[1])
    own = known.take(profile)
    fields = {}
    for name in Prior.__slots__:
        a, b = getattr(own, name), getattr(nothing, name)
        fields[name] = np.where(informed.reshape(-1, *[1] * (a.ndim - 1)), a, b)
    fields["warm_up_s"] = np.where(informed, warm_up_s, nothing.warm_up_s)
    fields["warm_up_weight"] = np.where(informed, KNOWN_WEIGHT, nothing.warm_up_weight)
    return Prior(**fields)
