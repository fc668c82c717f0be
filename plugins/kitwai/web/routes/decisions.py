"""The history of decisions, and the observations that they were made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import StreamingResponse

from kitwai.core.records.decision import ApplicationDecision
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import Mode
from kitwai.core.records.targets import at_target
from kitwai.errors import InvalidInputError, StoreError
from kitwai.store.decision_list import (
    DecisionFilter,
    DecisionLine,
    StoredScaling,
    all_decision_lines,
    decision_lines,
    scalings_of,
)
from kitwai.web.parameters import Before, Limit, Moment, RowId
from kitwai.web.schemas import DecisionDetail, Page, Scaling, WhatIf
from kitwai.web.sources import Cluster, StoreOf

router = APIRouter(tags=["decisions"])

_COLUMNS = [field.name for field in fields(DecisionLine)]

# What begins a formula, once spaces before it are gone.
_FORMULA = frozenset("=+-@|%")


def _filter(
    cluster: Cluster,
    since: Moment = None,
    until: Moment = None,
    changed: bool | None = None,
    mode: Mode | None = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
) -> DecisionFilter:
    if search is not None and "\0" in search:
        # No text in Postgres holds one, and its driver takes none.
        raise InvalidInputError("search must not hold the character NUL.")
    return DecisionFilter(cluster, since, until, changed, mode and mode.value, search)


Wanted = Annotated[DecisionFilter, Depends(_filter)]


@router.get("/clusters/{cluster}/decisions")
def list_decisions(
    wanted: Wanted, store: StoreOf, limit: Limit = 50, before: Before = None
) -> Page[DecisionLine]:
    """The decisions on a cluster, newest first."""
    part = decision_lines(store.engine, wanted, limit=limit, before=before)
    return Page(items=part.items, next=part.next)


@router.get(
    "/clusters/{cluster}/decisions.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
def export_decisions(wanted: Wanted, store: StoreOf) -> StreamingResponse:
    """The same as a table for spreadsheets, whole."""
    return StreamingResponse(
        _text(all_decision_lines(store.engine, wanted)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="decisions.csv"'},
    )


@router.get("/decisions/{decision_id}", response_model_exclude_unset=True)
def get_decision(decision_id: RowId, store: StoreOf) -> DecisionDetail:
    """One decision with all that it was made from."""
    try:
        stored = store.decision(decision_id)
    except StoreError:
        raise HTTPException(404, "The store holds no decision with this id to read.") from None
    return DecisionDetail(
        id=stored.id,
        observation_id=stored.observation_id,
        decision=stored.decision,
        settings=stored.settings,
        what_if={app.id: what_if(app) for app in stored.decision.applications},
        scalings=[_scaling(scaling) for scaling in scalings_of(store.engine, stored)],
    )


@router.get("/observations/{observation_id}")
def get_observation(observation_id: RowId, store: StoreOf) -> Observation:
    """One observation, as it was stored."""
    try:
        return store.observation(observation_id)
    except StoreError:
        raise HTTPException(404, "The store holds no observation with this id to read.") from None


def what_if(app: ApplicationDecision) -> list[WhatIf]:
    """Every target that was weighed for one application."""
    answers = []
    most = len(app.mask) or len(app.q_values or app.predicted_finish_s or ())
    for target in range(1, most + 1):
        finish_s = at_target(app.predicted_finish_s, target)
        left_s = None if finish_s is None else max(0.0, finish_s - app.elapsed_s)
        answers.append(
            WhatIf(
                target=target,
                finish_s=finish_s,
                cost=None if left_s is None else target * left_s,
                miss_probability=at_target(app.miss_probability, target),
                q_value=at_target(app.q_values, target),
                allowed=target <= len(app.mask) and app.mask[target - 1],
            )
        )
    return answers


def _scaling(scaling: StoredScaling) -> Scaling:
    """What an operation did, with its moments: by name where the outcome tells, else in numbers."""
    row = asdict(scaling)
    outcome = row.pop("outcome")
    return Scaling(**{**row, **outcome})


def _text(parts: Iterable[list[DecisionLine]]) -> Iterator[str]:
    """CSV, some hundred lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for part in parts:
        writer.writerows([_cell(getattr(line, name)) for name in _COLUMNS] for line in part)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: object) -> object:
    """The value as a spreadsheet may have it: what it would take for a formula becomes text."""
    text = " ".join(value) if isinstance(value, list) else value
    if isinstance(text, str) and text.lstrip()[:1] in _FORMULA:
        return f"'{text}"
    return text
