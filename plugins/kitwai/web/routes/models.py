"""The checkpoints, which of them is champion, and how it came to be."""

from __future__ import annotations

from fastapi import APIRouter, Response

from kitwai.shadow import all_figures
from kitwai.store.registry import present_champion, promote, rollback, verify
from kitwai.store.training import TrainingStore
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
    verify(root, version)
    before = present_champion(root)
    moved = Moved(champion=version, before=before)
    if before == version:
        return moved
    shadows = [one.sentence() for one in all_figures(store.engine, version)]
    with audited("kitwai_promote_model", user, moved.model_dump(), dag_id=MODELS_DAG):
        promote(root, version, before)
    reason = " ".join([f"By hand, instead of {before}, by {user.get_name()}.", *shadows])
    TrainingStore(store.engine).add_verdict(version, before, "promoted", reason)
    return moved


@router.post("/models/rollback")
def roll_back(root: Models, store: StoreOf, user: Promoter) -> Moved:
    """Restore the champion before the present one."""
    before = present_champion(root)
    what = {"before": before}
    with audited("kitwai_roll_back_model", user, what, dag_id=MODELS_DAG):
        version = rollback(root)
        what["champion"] = version
    reason = f"By hand, instead of {before}, by {user.get_name()}."
    TrainingStore(store.engine).add_verdict(version, before, "rolled back", reason)
    return Moved(champion=version, before=before)


@router.get("/training")
def list_verdicts(store: StoreOf, limit: Limit = 50, before: Before = None) -> Page[Verdict]:
    """What became of the versions that were trained or moved, newest first."""
    return verdicts(store.engine, limit=limit, before=before)
