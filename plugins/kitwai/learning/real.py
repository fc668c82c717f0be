"""What a real cluster showed: the steps of the autoscale DAG as labelled states.

The store keeps what was observed, not features, so that a state is computed anew with today's. Of
a step only the target that was really followed is labelled, by whether its application met its
limit in the end; what was followed afterwards is the policy of that time, so that these states
belong to the played ones (`kitwai.learning.shards`). A step that does not fit is counted, not used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kitwai.core.decide import state_of
from kitwai.core.decision import ClusterSettings, Decision, Mode
from kitwai.core.history import Record
from kitwai.core.observation import Observation
from kitwai.core.policy import AnalyticPolicy
from kitwai.core.state import TARGETS
from kitwai.learning.experience import Labelled
from kitwai.learning.shards import nothing
from kitwai.sim.library import Library
from kitwai.sim.records import records_of
from kitwai.store.training import Run, TrainingStore

MOST = 5000
"""Of all steps that fit, the newest that are used."""

USED = "used"


def real_states(
    store: TrainingStore, runs: Sequence[Run], since: float, until: float
) -> tuple[Labelled, dict[str, int]]:
    """The steps of the interval as labelled states, and how many were used or why not.

    :param runs: finished applications; one of them tells how the application of a step ended.
    """
    by_app = {run.profile.app: at for at, run in enumerate(runs)}
    records = records_of(Library([run.profile for run in runs])) if runs else ()
    parts: list[Labelled] = []
    counts: Counter[str] = Counter()
    for step in store.steps(since, until):
        if step is None:
            counts["written by another version of Kitwai"] += 1
            continue
        labelled = _labelled(*step, runs, records, by_app)
        if isinstance(labelled, str):
            counts[labelled] += 1
        else:
            parts.append(labelled)
    counts["older than those used"] = max(0, len(parts) - MOST)
    counts[USED] = min(len(parts), MOST)
    found = {reason: count for reason, count in sorted(counts.items()) if count}
    return Labelled.join([nothing(), *parts[-MOST:]]), found


def _labelled(
    observation: Observation,
    decision: Decision,
    settings: ClusterSettings,
    runs: Sequence[Run],
    records: Sequence[Record],
    by_app: dict[str, int],
) -> Labelled | str:
    """One step as a labelled state, or why it does not fit."""
    applications, decided = observation.applications or (), decision.applications
    if len(applications) != 1 or len(decided) != 1 or decision.present is None:
        return "not of exactly one application"
    application, constraint = applications[0], decided[0].constraint
    if application.stages is None or application.idle_s is not None:
        return "nothing of its work was seen"
    at = by_app.get(application.id)
    if at is None:
        return "its application's end is not known"
    run = runs[at]
    if run.profile.cores_per_worker != settings.cores_per_worker:
        return "of another worker shape"
    followed = decision.target if decision.mode is Mode.AUTO else decision.present
    if followed is None or not 1 <= followed <= TARGETS:
        return "its target is none of the network's"
    past = [
        record
        for record, other in zip(records, runs, strict=True)
        if other.profile.family == run.profile.family and other.ended_at <= run.started_at
    ]
    state = state_of(
        application,
        constraint,
        settings,
        AnalyticPolicy(),
        past,
        present=decision.present,
        starting=len(observation.starting),
    )
    if not (state.forecast.known[0] and state.mask[0, followed - 1]):
        return "its target is not allowed today"
    missed, weight = np.zeros((2, 1, TARGETS))
    missed[0, followed - 1] = run.ended_at - run.started_at > constraint.limit_s
    weight[0, followed - 1] = 1.0
    return Labelled.of(state, missed, weight)
