"""What a new worker needs until it takes tasks, as the cluster itself has shown it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import ClusterSettings

NEWEST = 0.5
"""Weight of the newest look's workers. How busy the machines are changes from hour to hour."""

MOST_S = 600.0
"""A longer delay counts as so long: no answer of another program may stretch a forecast further."""


def with_start_delay(observation: Observation, *earlier: Observation) -> Observation:
    """The observation, its past with the mean start delay of the cluster's workers.

    A worker's delay lasts from its pool's start of it to its first executor. It counts at the first
    look that shows the executor, if the worker was started for an application that ran already.

    :param earlier: earlier observations, newest first. Each carries the mean on.
    """
    before = earlier[0].past.start_delay_s if earlier else None
    looked = bool(earlier) and earlier[0].applications is not None
    delays = list(_delays(observation, earlier[0])) if looked else []
    if delays:
        mean = sum(delays) / len(delays)
        before = mean if before is None else (1.0 - NEWEST) * before + NEWEST * mean
    return replace(observation, past=replace(observation.past, start_delay_s=before))


def measured(settings: ClusterSettings, observation: Observation) -> ClusterSettings:
    """The settings, with the measured start delay in place of the one that was set."""
    delay_s = observation.past.start_delay_s
    return settings if delay_s is None else replace(settings, start_delay_s=delay_s)


def _delays(observation: Observation, previous: Observation) -> Iterator[float]:
    """Seconds from start to executor of the workers whose executor the look before did not show."""
    started = {worker.host: worker.started_at for worker in observation.pool or () if worker.alive}
    seen = {
        executor.host
        for application in previous.applications or ()
        for executor in application.executors or ()
    }
    for application in observation.applications or ():
        began = observation.at - application.elapsed_s
        for executor in application.executors or ():
            start, added = started.get(executor.host), executor.added_at
            if executor.host in seen or start is None or added is None:
                continue
            seen.add(executor.host)
            # The clocks of pool and driver may differ.
            if began < start <= added:
                yield min(added - start, MOST_S)
