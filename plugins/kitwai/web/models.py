"""The checkpoints as the API shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import HTTPException
from sqlalchemy.engine import Engine

from kitwai.errors import CheckpointError
from kitwai.registry.versions import (
    CARD,
    present_champion,
    read_file,
    read_manifest,
    verify,
    versions,
)
from kitwai.store.tables import VerdictRow
from kitwai.web.paging import newest_first
from kitwai.web.schemas import ModelDetail, ModelView, Page, Verdict

_PICTURE = ".png"


def models(root: Path) -> list[ModelView]:
    """Every version, the newest name first."""
    champion = _champion(root)
    return [ModelView(**_view(root, version, champion)) for version in versions(root)[::-1]]


def model(root: Path, version: str) -> ModelDetail:
    """One version, all its files checked."""
    require_version(root, version)
    view = _view(root, version, _champion(root))
    card, pictures = None, []
    try:
        files = verify(root, version)["files"]
        pictures = sorted(name for name in files if name.endswith(_PICTURE))
        if CARD in files:
            card = read_file(root, version, CARD).decode("utf-8", errors="replace")
    except CheckpointError as error:
        view["error"] = str(error)
    return ModelDetail(**view, card=card, pictures=pictures)


def picture(root: Path, version: str, name: str) -> bytes:
    """A picture of a version's card, as its manifest knows it."""
    require_version(root, version)
    try:
        if name.endswith(_PICTURE) and name in read_manifest(root, version)["files"]:
            return read_file(root, version, name)
    except CheckpointError as error:
        raise HTTPException(409, str(error)) from error
    raise HTTPException(404, "The manifest of this version names no such picture.")


def require_version(root: Path, version: str) -> None:
    """:raises HTTPException: there is no such version."""
    # By the list of what is there: no name that a client sends becomes a path.
    if version not in versions(root):
        raise HTTPException(404, "There is no such version among the checkpoints.")


def _champion(root: Path) -> str | None:
    try:
        return present_champion(root)
    except CheckpointError:
        return None


def _view(root: Path, version: str, champion: str | None) -> dict[str, Any]:
    view: dict[str, Any] = {
        "version": version,
        "champion": version == champion,
        "parent": None,
        "created": None,
        "trusted": {},
        "metrics": {},
    }
    try:
        manifest = read_manifest(root, version)
    except CheckpointError as error:
        return view | {"error": str(error)}
    known = {name: manifest[name] for name in view if isinstance(manifest.get(name), str | dict)}
    return view | known | {"champion": view["champion"]}


def verdicts(engine: Engine, *, limit: int, before: int | None) -> Page[Verdict]:
    """What became of versions, newest first."""
    query = sa.select(
        VerdictRow.id,
        VerdictRow.at,
        VerdictRow.run_id,
        VerdictRow.version,
        VerdictRow.champion,
        VerdictRow.verdict,
        VerdictRow.reason,
    )
    return newest_first(
        engine,
        query,
        VerdictRow.id,
        lambda row: Verdict(**row._mapping),
        limit=limit,
        before=before,
    )
