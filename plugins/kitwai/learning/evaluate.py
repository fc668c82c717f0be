"""The evaluation of a trained network: a judged version in the registry, and its comparison with
the champion.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import ForecastPolicy, NetworkPolicy
from kitwai.core.records.grid import parse_grid
from kitwai.errors import CheckpointError
from kitwai.learning.card import grid_table
from kitwai.learning.export import Network, Origin, export
from kitwai.learning.gate import Candidate, Comparison, compare, gate
from kitwai.learning.partition import Plan, scaled
from kitwai.learning.selection import select
from kitwai.learning.trial import Trial, rows
from kitwai.registry.history_file import history_text
from kitwai.registry.versions import (
    load_policy,
    load_runs,
    present_champion,
    read_manifest,
    versions,
)
from kitwai.sim.baselines import make
from kitwai.sim.episodes import REGIMES
from kitwai.sim.judging import Controller
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.synthetic import GATE_SEED, HELD_OUT_SEED, synthetic_profiles
from kitwai.store.training import Run

BASELINES = ("always-N", "remaining-work@0.80", "hpa-backlog")

MOST_OF_A_FAMILY = 40
"""Past runs of one application that a version carries: the newest."""

_HELD_OUT, _GATE = 60, 60
_NEWEST = 20
_OWN_REGIMES = ("recurring", "disturbed")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Judged:
    """A version against ``champion``, None where there is none. ``passed``: whether the version is
    to take the champion's place; ``reason``: why.
    """

    version: str
    champion: str | None
    passed: bool
    reason: str
    comparisons: tuple[Comparison, ...]


def add_version(
    root: Path,
    plan: Plan,
    runs: Sequence[Run],
    network: Network,
    lineage: Mapping[str, Any],
    command: str,
) -> str:
    """Judge a network and save it as a version, with the past runs that it knows; returns its name.

    Name and contents follow from the arguments. Only the parent, which the manifest names for the
    reader, depends on which versions exist already.

    :param runs: that the network was trained on, oldest first; ``lineage``: for the manifest's
        ``data``; ``command``: that makes the version again.
    """
    held_out = Library(synthetic_profiles(scaled(_HELD_OUT, min(plan.effort, 1.0)), HELD_OUT_SEED))
    policy = NetworkPolicy("challenger", _weights(network))
    selection = select(held_out, policy, HELD_OUT_SEED)
    policy.trusted = selection.trusted
    history = newest_history(runs)
    own, workers, limits_s = _own(runs), *parse_grid(plan.grid)
    challenger = PolicyController(policy, history=history)
    controllers: dict[str, Controller] = {
        "this version": challenger,
        "nothing known": PolicyController(ForecastPolicy(), history={}),
        **make(BASELINES),
    }
    metrics = dict(selection.metrics)
    for regime, judge in _trial_of_own(own, plan, HELD_OUT_SEED).judges():
        outcomes = {name: judge.run(controller) for name, controller in controllers.items()}
        metrics[f"newest runs, {regime}"] = rows(judge, outcomes)
    origin = Origin(
        command=command,
        data={
            **lineage,
            "held_out": {"seed": HELD_OUT_SEED, "profiles": len(held_out.profiles)},
        },
        grid={"N": workers, "T_s": limits_s},
        day=plan.day,
        identity=repr(plan),
        interval=plan.interval,
        parent=parent_of(root, plan),
    )
    table = grid_table(Trial(own, ("recurring",), HELD_OUT_SEED, workers, limits_s), challenger)
    selection = dataclasses.replace(selection, metrics=metrics)
    return export(
        root, network, plan.config, selection, origin, table=table, runs=history_text(history)
    )


def against_champion(root: Path, plan: Plan, runs: Sequence[Run], version: str) -> Judged:
    """Whether a version is to take the champion's place."""
    champion = present_champion(root)
    if champion is None:
        return Judged(version, None, True, "There is no champion yet.", ())
    if champion == version:
        return Judged(version, champion, False, "It is the champion already.", ())
    newer = _newer(root, champion, plan)
    if newer is not None:
        return Judged(version, champion, False, newer, ())
    challenger = Candidate(load_policy(root, version), load_runs(root, version))
    try:
        before = Candidate(load_policy(root, champion), load_runs(root, champion))
    except CheckpointError:
        # The policy that decides in its stead.
        before = Candidate(ForecastPolicy(), {})
    count = scaled(_GATE, min(plan.effort, 1.0))
    held_out = Library(synthetic_profiles(count, GATE_SEED))
    comparisons = (
        compare(
            "held-out applications",
            Trial(held_out, REGIMES, GATE_SEED),
            dataclasses.replace(challenger, runs=None),
            dataclasses.replace(before, runs=None),
            whole_families=True,
        ),
        compare(
            "the newest runs",
            _trial_of_own(_own(runs), plan, GATE_SEED),
            challenger,
            before,
            whole_families=False,
        ),
    )
    passed, reason = gate(comparisons)
    return Judged(version, champion, passed, reason, comparisons)


def parent_of(root: Path, plan: Plan) -> str | None:
    """The newest version whose data end before the plan's begin; else a version without an
    interval, as the shipped one; None where there is neither.

    Days that are trained at the same time may not find each other. Nothing but this name depends on
    the parent, because training does not start from its weights.
    """
    earlier: list[tuple[str, str]] = []
    for version in versions(root):
        try:
            interval = read_manifest(root, version).get("data_interval")
        except CheckpointError:
            continue
        if interval is None:
            earlier.append(("", version))
        elif plan.interval[0] is not None and interval[1] <= plan.interval[0]:
            earlier.append((interval[1], version))
    return max(earlier)[1] if earlier else None


def newest_history(runs: Sequence[Run]) -> dict[str, list[Record]]:
    """Records of past runs by family, at most `MOST_OF_A_FAMILY` of each, the newest."""
    history = history_of(Library([run.profile for run in runs]))
    return {family: records[-MOST_OF_A_FAMILY:] for family, records in history.items()}


def thin(values: Sequence[_T], most: int) -> list[_T]:
    """At most ``most`` of the values, evenly spread, the last value among them."""
    count = min(most, len(values))
    return [values[(at + 1) * len(values) // count - 1] for at in range(count)]


def _newer(root: Path, champion: str, plan: Plan) -> str | None:
    """Why the champion is not replaced: its data are newer than the plan's; None: they are not."""
    try:
        interval = read_manifest(root, champion).get("data_interval")
    except CheckpointError:
        return None
    end = str(plan.interval[1])
    if interval is None or interval[1] <= end:
        return None
    return (
        f"The champion {champion} has learnt from data up to {interval[1]}, this version "
        f"up to {end} only; `kitwai models promote` can still make it the champion."
    )


def _own(runs: Sequence[Run]) -> Library:
    return Library([run.profile for run in runs[-_NEWEST:]])


def _trial_of_own(own: Library, plan: Plan, seed: int) -> Trial:
    """The newest runs under a part of the plan's grid."""
    workers, limits_s = parse_grid(plan.grid)
    return Trial(own, _OWN_REGIMES, seed, thin(workers, 4), thin(limits_s, 3))


def _weights(network: Network) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(network.weights), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
