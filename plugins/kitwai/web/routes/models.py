"""The checkpoints, which of them is champion, and how it came to be."""

from __future__ import annotations

from pathlib import Path

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Response

from kitwai.actions.promote import Change, change_champion, promotion, return_to_former
from kitwai.store.store import Store
from kitwai.web.audit import audited
from kitwai.web.models import model, models, picture, require_version, verdicts
from kitwai.web.parameters import Before, Limit
from kitwai.web.schemas import ModelDetail, ModelView, Moved, Page, Verdict
from kitwai.web.security import MODELS_DAG, Promoter
from kitwai.web.sources import Models, StoreOf

router = APIRouter(tags=["models"])


@router.get("/models")
def list_models(root: Models) -> list[ModelView]:
    """All versions of the agent."""
    return models(root)


@router.get("/models/{version}")
def get_model(version: str, root: Models) -> ModelDetail:
    """One version, with its card; all its files are checked."""
    return model(root, version)


@router.get(
    "/models/{version}/pictures/{name}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def get_picture(version: str, name: str, root: Models) -> Response:
    """A picture of the version's card."""
    return Response(picture(root, version, name), media_type="image/png")


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
    return verdicts(store.engine, limit=limit, before=before)
