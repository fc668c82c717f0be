"""Recorded runs decided again: what the present forecast makes of the same observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.past_runs import Record
from kitwai.core.records.decision import Decision
from kitwai.registry.champion import Champion, load_champion
from kitwai.registry.history_file import parse_history, read_history
from kitwai.store.store import Store
from kitwai_lab.bench.real.judging import decisions_of, forecast_errors, forecasts_of
from kitwai_lab.bench.real.record import CLUSTER, read_records


def forecasts_again(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The forecast's errors of each run: ``recorded``, and made ``now`` of its observations.

    :param folders: of applications.
    """
    champion = load_champion()
    rows = []
    for folder in folders:
        for record in read_records(folder):
            run = record.run
            if run is None:
                continue
            place = folder / record.name
            again = list(_decide_again(place, champion, past_runs(place)))
            recorded, now = (
                forecast_errors(forecasts_of(decisions, record.constant), run.finish_s)
                for decisions in (decisions_of(place), again)
            )
            rows.append(
                {
                    "application": folder.name,
                    "run": record.name,
                    "finish_s": round(run.finish_s, 1),
                    "recorded": recorded,
                    "now": now,
                }
            )
    return rows


def past_runs(folder: Path) -> Mapping[str, Sequence[Record]]:
    """The past runs that Kitwai knew in the run of ``folder``."""
    file = folder / "history.json"
    return parse_history(read_history(file), file) if file.is_file() else {}


def _decide_again(
    folder: Path, champion: Champion, own: Mapping[str, Sequence[Record]]
) -> Iterator[Decision]:
    """The decisions on the recorded observations, each with the settings that it had."""
    history = champion.history(own)
    store = Store(f"sqlite:///{folder / 'kitwai.db'}")
    try:
        for stored in store.decisions(CLUSTER):
            yield decide(
                store.observation(stored.observation_id),
                stored.settings,
                champion.policy,
                now=stored.decision.decided_at,
                history=history,
            )
    finally:
        store.engine.dispose()
