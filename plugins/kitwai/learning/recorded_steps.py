"""Steps that the autoscale DAG recorded on a real cluster, as labelled states.

The store keeps observations, not features, so that a state is computed with the features of today.
Of a step only the target that the cluster really followed is labelled: whether its application
missed its limit in the end. After it the policy of that time went on, so that these states belong
to the played states (`kitwai.learning.shards`). A step whose target was perhaps not followed tells
nothing of it. Such steps are counted, and not used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from kitwai.core.decide.application import Workers, as_arrays
from kitwai.core.forecast.past_runs import Record
from kitwai.core.forecast.start_delay import measured
from kitwai.core.policy.policy import PRICES, price_of
from kitwai.core.policy.state import TARGETS, build_state
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Application, Observation
from kitwai.core.records.settings import ClusterSettings, Mode
from kitwai.learning.experience import Labelled
from kitwai.learning.shards import nothing
from kitwai.sim.library import Library
from kitwai.sim.past_runs import records_of
from kitwai.store.recorded import SAME_START_S
from kitwai.store.training import Run, TrainingStore

MOST = 5000
"""Most steps that are used: the newest that fit."""

MOST_READ = 4 * MOST
"""Most steps that are read: the newest."""

USED = "used"


def label_steps(
    store: TrainingStore, runs: Sequence[Run], since: float, until: float
) -> tuple[Labelled, dict[str, int]]:
    """The newest steps of the interval as labelled states, and what became of the steps.

    :param runs: finished applications; they tell how the application of a step ended.
    :param since: ``until``: the interval in epoch seconds.
    :returns: the states, oldest first; how many steps were used (`USED`), and how many were not
        used for each reason.
    """
    records = records_of(Library([run.profile for run in runs])) if runs else ()
    by_app: dict[str, list[Run]] = {}
    for run in runs:
        by_app.setdefault(run.profile.app, []).append(run)
    parts: list[Labelled] = []
    counts: Counter[str] = Counter()
    for step in store.steps(since, until, newest=MOST_READ):
        if step is None:
            counts["written by another version of Kitwai"] += 1
            continue
        labelled = _labelled(*step, runs, records, by_app)
        if isinstance(labelled, str):
            counts[labelled] += 1
            continue
        counts[USED] += 1
        parts.append(labelled)
        if len(parts) == MOST:
            break
    return Labelled.join([nothing(), *parts[::-1]]), dict(sorted(counts.items()))


def _labelled(
    observation: Observation,
    decision: Decision,
    settings: ClusterSettings,
    runs: Sequence[Run],
    records: Sequence[Record],
    by_app: Mapping[str, Sequence[Run]],
) -> Labelled | str:
    """One step as a labelled state, or why it does not fit."""
    applications, decided = observation.applications or (), decision.applications
    if len(applications) != 1 or len(decided) != 1 or decision.present is None:
        return "not of exactly one application"
    application, constraint = applications[0], decided[0].constraint
    if application.stages is None or application.idle_s is not None:
        return "nothing of its work was seen"
    if decided[0].limit_source == "none":
        return "its application has no limit"
    run = _run_of(application, observation.at, by_app.get(application.id, ()))
    if run is None:
        return "its application's end is not known"
    if run.profile.cores_per_worker != settings.cores_per_worker:
        return "of another worker shape"
    followed = _followed(decision, settings)
    if isinstance(followed, str):
        return followed
    past = [
        record
        for record, other in zip(records, runs, strict=True)
        if other.profile.family == run.profile.family and other.ended_at <= run.started_at
    ]
    workers = Workers(decision.present, len(observation.starting))
    view, prior = as_arrays(application, constraint, settings, past, workers)
    state = build_state(
        view,
        prior,
        np.array([price_of(constraint.miss, PRICES)]),
        start_delay_s=measured(settings, observation).start_delay_s,
        drain_s=settings.drain_s,
    )
    if not (state.forecast.known[0] and state.mask[0, followed - 1]):
        return "its target is not allowed today"
    missed, weight = np.zeros((2, 1, TARGETS))
    missed[0, followed - 1] = run.ended_at - run.started_at > constraint.limit_s
    weight[0, followed - 1] = 1.0
    return Labelled.of(state, missed, weight)


def _followed(decision: Decision, settings: ClusterSettings) -> int | str:
    """The target that the cluster followed after a step of one application, or why that is not
    certain.
    """
    if decision.held or decision.applications[0].policy is None:
        return "too little was known to decide"
    if settings.pause is not None:
        return "the cluster was paused"
    # A person's own target is carried out without a question.
    asks = decision.mode is Mode.APPROVE and settings.pin is None
    if asks and decision.target != decision.present:
        return "a person was asked first"
    followed = decision.present if decision.mode is Mode.SUGGEST else decision.target
    if followed is None or not 1 <= followed <= TARGETS:
        return "its target is none of the network's"
    return followed


def _run_of(application: Application, at: float, runs: Sequence[Run]) -> Run | None:
    """The run of the application that was seen at ``at``, among the runs with its id.

    A master that starts anew gives ids again, so that name and start must be the same too.
    """
    began = at - application.elapsed_s
    return next(
        (
            run
            for run in runs
            if run.profile.family == application.name
            and abs(run.started_at - began) <= SAME_START_S
        ),
        None,
    )
