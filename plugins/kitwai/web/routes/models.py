"""The checkpoints, which of them is champion, and how it came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, HTTPException, Response

from kitwai.actions.promote import Change, change_champion, promotion, return_to_former
from kitwai.errors import CheckpointError
from kitwai.registry.versions import (
    CARD,
    present_champion,
    read_file,
    read_manifest,
    verify,
    versions,
)
from kitwai.store.store import Store
from kitwai.store.verdicts import Verdict, verdicts
from kitwai.web.audit import audited
from kitwai.web.parameters import Before, Limit
from kitwai.web.schemas import ModelDetail, ModelView, Moved, Page
from kitwai.web.security import MODELS_DAG, Promoter
from kitwai.web.sources import Models, StoreOf

router = APIRouter(tags=["models"])

_PICTURE = ".png"


@router.get("/models")
def list_models(root: Models) -> list[ModelView]:
    """All versions of the agent, the newest name first."""
    champion = _champion(root)
    return [ModelView(**_view(root, version, champion)) for version in versions(root)[::-1]]


@router.get("/models/{version}")
def get_model(version: str, root: Models) -> ModelDetail:
    """One version, with its card; all its files are checked."""
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


@router.get(
    "/models/{version}/pictures/{name}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def get_picture(version: str, name: str, root: Models) -> Response:
    """A picture of the version's card, where its manifest names the picture."""
    require_version(root, version)
    try:
        if name.endswith(_PICTURE) and name in read_manifest(root, version)["files"]:
            return Response(read_file(root, version, name), media_type="image/png")
    except CheckpointError as error:
        raise HTTPException(409, str(error)) from error
    raise HTTPException(404, "The manifest of this version names no such picture.")


@router.post("/models/{version}/promote")
def promote_model(version: str, root: Models, store: StoreOf, user: Promoter) -> Moved:
    """Make a version the champion without asking the gate."""
    require_version(root, version)
    change = promotion(root, version)
    if change.before == version:
        return Moved(champion=version, before=version)
    return _move("kitwai_promote_model", root, change, store, user)


@router.post("/models/rollback")
def roll_back(root: Models, store: StoreOf, user: Promoter) -> Moved:
    """Restore the champion before the present one."""
    return _move("kitwai_roll_back_model", root, return_to_former(root), store, user)


def _move(event: str, root: Path, change: Change, store: Store, user: BaseUser) -> Moved:
    """Move the champion. Where the store cannot tell of it the answer is an error, but the champion
    has moved, and Airflow's audit log must hold that.
    """
    moved = Moved(champion=change.version, before=change.before)
    with audited(event, user, moved.model_dump(), dag_id=MODELS_DAG):
        untold = change_champion(root, change, lambda: store.engine, by=user.get_name())
    if untold is not None:
        raise untold
    return moved


@router.get("/training")
def list_verdicts(store: StoreOf, limit: Limit = 50, before: Before = None) -> Page[Verdict]:
    """What became of the versions that were trained or moved, newest first."""
    part = verdicts(store.engine, limit=limit, before=before)
    return Page(items=part.items, next=part.next)


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
