"""The history of decisions, and the observations that they were made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import StreamingResponse

from kitwai.core.records.decision import Mode
from kitwai.core.records.observation import Observation
from kitwai.errors import InvalidInputError, StoreError
from kitwai.web.decisions import COLUMNS, Filter, Line, all_decisions, decisions, detail
from kitwai.web.parameters import Before, Limit, Moment, RowId
from kitwai.web.schemas import DecisionDetail, DecisionSummary, Page
from kitwai.web.sources import Cluster, StoreOf

router = APIRouter(tags=["decisions"])

# What begins a formula, once spaces before it are gone.
_FORMULA = frozenset("=+-@|%")


def _filter(
    cluster: Cluster,
    since: Moment = None,
    until: Moment = None,
    changed: bool | None = None,
    mode: Mode | None = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
) -> Filter:
    if search is not None and "\0" in search:
        # No text in Postgres holds one, and its driver takes none.
        raise InvalidInputError("search must not hold the character NUL.")
    return Filter(cluster, since, until, changed, mode and mode.value, search)


Wanted = Annotated[Filter, Depends(_filter)]


@router.get("/clusters/{cluster}/decisions")
def list_decisions(
    wanted: Wanted, store: StoreOf, limit: Limit = 50, before: Before = None
) -> Page[DecisionSummary]:
    """The decisions on a cluster, newest first."""
    return decisions(store.engine, wanted, limit=limit, before=before)


@router.get(
    "/clusters/{cluster}/decisions.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
def export_decisions(wanted: Wanted, store: StoreOf) -> StreamingResponse:
    """The same as a table for spreadsheets, whole."""
    return StreamingResponse(
        _text(all_decisions(store.engine, wanted)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="decisions.csv"'},
    )


@router.get("/decisions/{decision_id}")
def get_decision(decision_id: RowId, store: StoreOf) -> DecisionDetail:
    """One decision with all that it was made from."""
    try:
        return detail(store, decision_id)
    except StoreError:
        raise HTTPException(404, "The store holds no decision with this id to read.") from None


@router.get("/observations/{observation_id}")
def get_observation(observation_id: RowId, store: StoreOf) -> Observation:
    """One observation, as it was stored."""
    try:
        return store.observation(observation_id)
    except StoreError:
        raise HTTPException(404, "The store holds no observation with this id to read.") from None


def _text(parts: Iterable[list[Line]]) -> Iterator[str]:
    """CSV, some hundred lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for part in parts:
        writer.writerows([_cell(value) for value in line] for line in part)
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
