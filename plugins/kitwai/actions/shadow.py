"""Shadow mode: challengers decide on live observations without acting, and what comes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kitwai.core.decide.cluster import decide
from kitwai.core.decide.comparison import Comparison, compare
from kitwai.core.forecast.past_runs import Record
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import ClusterSettings
from kitwai.errors import CheckpointError
from kitwai.registry.champion import Champion
from kitwai.registry.versions import (
    RUNS,
    WEIGHTS,
    load_policy,
    load_runs,
    newest,
    present_champion,
    read_manifest,
)
from kitwai.store.database import Engine
from kitwai.store.shadow import ShadowStore

NEWEST = "newest"

MOST_DECISIONS = 10_000
"""Of a challenger's decisions on one cluster, the newest that its figures are made of."""

PATIENCE_S = 1.0
"""When the shadows of a step have taken so long no further one is begun, as the step waits."""


def decide_in_shadow(
    engine: Engine,
    root: Path,
    names: Sequence[str],
    observation: Observation,
    observation_id: int,
    settings: ClusterSettings,
    *,
    now: float | None = None,
    own: Mapping[str, Sequence[Record]] | None = None,
) -> list[str]:
    """Let challengers decide, and keep what they would have done. It never raises.

    :param names: versions; ``newest`` for the one saved last, the champion aside.
    :param own: the cluster's own past runs.
    :returns: a sentence for each that has not decided.
    """
    failed = []
    until = time.monotonic() + PATIENCE_S
    for name in dict.fromkeys(names):
        if time.monotonic() > until:
            failed.append(f"The shadow {name} was left out: those before it took too long.")
            continue
        try:
            champion = present_champion(root)
            version = newest(root, besides=champion) if name == NEWEST else name
            # Of the champion there is the decision itself.
            if version is None or version == champion:
                continue
            challenger = Champion(load_policy(root, version), load_runs(root, version))
            decision = decide(
                observation,
                settings,
                challenger.policy,
                now=now,
                history=challenger.history(own),
            )
            ShadowStore(engine).add(version, decision, observation_id)
        except Exception as error:
            # Whatever is wrong with a challenger must not touch the step.
            failed.append(f"The shadow {name} has not decided: {error}")
    return failed


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """A challenger against the champion on the observations of one cluster in [since, until].

    The champion is the first of the ``comparison``. ``champion``: the versions that decided.
    """

    cluster: str
    checkpoint: str
    champion: str
    since: float
    until: float
    comparison: Comparison

    def sentence(self) -> str:
        """The figures for people."""
        compared = self.comparison
        text = (
            f"In the shadow of {self.champion} on {self.cluster} it decided differently on "
            f"{compared.differs} of {compared.decisions} observations "
            f"({compared.fewer} with fewer workers, {compared.more} with more)"
        )
        if compared.regret_first is None or compared.regret_second is None:
            return f"{text}."
        return (
            f"{text}; its choices lose {compared.regret_first:+.4f} as the champion sees it, the "
            f"champion's {compared.regret_second:+.4f} as it sees it itself."
        )


def shadow_figures(
    engine: Engine, cluster: str, checkpoint: str, since: float = 0.0
) -> ShadowFigures | None:
    """What a challenger has decided since a moment, of the newest `MOST_DECISIONS`; None where it
    has decided nothing.
    """
    store = ShadowStore(engine)
    since = max(since, store.newest_since(cluster, checkpoint, MOST_DECISIONS))
    moments: list[float] = []
    champions: set[str] = set()

    def pairs() -> Iterator[tuple[Decision, Decision]]:
        for decided, shadow in store.pairs(cluster, checkpoint, since):
            moments.append(decided.at)
            champions.add(_decider(decided))
            yield decided, shadow

    comparison = compare(pairs())
    if not moments:
        return None
    return ShadowFigures(
        cluster=cluster,
        checkpoint=checkpoint,
        champion=", ".join(sorted(champions)),
        since=moments[0],
        until=moments[-1],
        comparison=comparison,
    )


def all_figures(
    engine: Engine, checkpoint: str | None = None, cluster: str | None = None, since: float = 0.0
) -> list[ShadowFigures]:
    """Of every challenger on every cluster, or of one alone."""
    figures = [
        shadow_figures(engine, decided_cluster, version, since)
        for decided_cluster, version in ShadowStore(engine).challengers(since)
        if checkpoint in (None, version) and cluster in (None, decided_cluster)
    ]
    return [each for each in figures if each is not None]


def kinship(root: Path, champion: str, challenger: str) -> str | None:
    """What two versions have in common, in a sentence.

    None where they share only the forecast, which all versions share that this Kitwai loads.
    """
    try:
        first, other = read_manifest(root, champion), read_manifest(root, challenger)
    except CheckpointError:
        return None

    def same(name: str) -> bool:
        return bool(first["files"].get(name) == other["files"].get(name))

    abstain = not any([*first["trusted"].values(), *other["trusted"].values()])
    network = abstain or (same(WEIGHTS) and first["trusted"] == other["trusted"])
    prices = first.get("prices") == other.get("prices")
    if network and same(RUNS) and prices:
        return "Both decide alike: the same forecast, past runs and prices, and no other network."
    if network and prices:
        why = "both networks abstain" if abstain else "the networks are the same"
        return f"Both have the same forecast and differ in the past runs they know alone: {why}."
    if same(RUNS):
        return "Both have the same forecast and past runs, and differ in the network or its prices."
    return None


def _decider(decision: Decision) -> str:
    return decision.checkpoint or decision.policy
