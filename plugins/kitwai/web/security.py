"""Who may ask for what: Airflow's auth manager decides, this module asks it.

Reading needs GET on the autoscale DAG, a change what triggering that DAG needs, an answer what
answering the task of the DAG `kitwai_approve` needs too, a change of the champion what triggering
the DAG `kitwai_models` needs. A browser sends Airflow's cookie along
with every request, whoever caused it; a change therefore needs a token as well that only a page
of this origin could read (`Me.csrf`).
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from kitwai.actions.approve import DAG_ID

AUTOSCALE_DAG = "kitwai_autoscale"
MODELS_DAG = "kitwai_models"
CSRF_HEADER = "X-Kitwai-CSRF"
_CSRF_S = 24 * 3600

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]


async def signed_in(request: Request, bearer: Bearer) -> BaseUser:
    """The user of the token in the header, else in Airflow's cookie."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException as error:
        # Airflow answers 403 to a token that nobody signed; that nobody is signed in.
        raise HTTPException(
            401,
            "Sign in to Airflow first: there is no valid token in this request.",
            headers={"WWW-Authenticate": "Bearer"},
        ) from error


SignedIn = Annotated[BaseUser, Depends(signed_in)]


def may_read(user: BaseUser) -> bool:
    """Whether ``user`` may see what was observed and decided."""
    return authorized(user, "GET", AUTOSCALE_DAG, None)


def may_change(user: BaseUser) -> bool:
    """Whether ``user`` may trigger the autoscale DAG."""
    return authorized(user, "POST", AUTOSCALE_DAG, DagAccessEntity.RUN)


def may_answer(user: BaseUser) -> bool:
    """Whether ``user`` may answer a question about a decision, here and on Airflow's own page."""
    return may_change(user) and authorized(user, "PUT", DAG_ID, DagAccessEntity.HITL_DETAIL)


def may_promote(user: BaseUser) -> bool:
    """Whether ``user`` may trigger the DAG that changes the champion."""
    return authorized(user, "POST", MODELS_DAG, DagAccessEntity.RUN)


def reader(user: SignedIn) -> BaseUser:
    """The user, who may read."""
    if not may_read(user):
        raise HTTPException(403, f"You may not read the DAG {AUTOSCALE_DAG}.")
    return user


Reader = Annotated[BaseUser, Depends(reader)]


def honest(request: Request, user: SignedIn, bearer: Bearer) -> BaseUser:
    """The user, whose own page or program sent this request."""
    _refuse_other_sites(request)
    by_header = bearer is not None and COOKIE_NAME_JWT_TOKEN not in request.cookies
    if not by_header and not _csrf_valid(request.headers.get(CSRF_HEADER, ""), user):
        raise HTTPException(
            403, f"The header {CSRF_HEADER} must hold your token from /me; load the page again."
        )
    return user


Honest = Annotated[BaseUser, Depends(honest)]


def changer(user: Honest, _reader: Reader) -> BaseUser:
    """The user, who may change how clusters are scaled."""
    if not may_change(user):
        raise HTTPException(403, f"You may not trigger the DAG {AUTOSCALE_DAG}.")
    return user


def promoter(user: Honest, _reader: Reader) -> BaseUser:
    """The user, who may change the champion."""
    if not may_promote(user):
        raise HTTPException(403, f"You may not trigger the DAG {MODELS_DAG}.")
    return user


Changer = Annotated[BaseUser, Depends(changer)]
Promoter = Annotated[BaseUser, Depends(promoter)]


def csrf_token(user: BaseUser, now: float | None = None) -> str:
    """A token for changes by ``user``, good for a day: its end, and an HMAC of user and end."""
    until = f"{int(time.time() if now is None else now) + _CSRF_S:x}"
    return f"{until}.{_signature(user, until)}"


def _csrf_valid(token: str, user: BaseUser) -> bool:
    until, _, signature = token.partition(".")
    # Bytes: compare_digest refuses text beyond ASCII.
    if not hmac.compare_digest(signature.encode(), _signature(user, until).encode()):
        return False
    return int(until, 16) > time.time()


def _signature(user: BaseUser, until: str) -> str:
    key = get_signing_key("api", "secret_key").encode()
    message = "\0".join(("kitwai-csrf", str(user.get_id()), until)).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _refuse_other_sites(request: Request) -> None:
    """Browsers name the origin that caused a request, and scripts cannot forge it."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), urlsplit(conf.get("api", "base_url") or "").netloc} - {""}
    if site not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc not in own
    ):
        raise HTTPException(403, "Changes are accepted from Airflow's own pages only.")


def authorized(user: BaseUser, method: str, dag_id: str, entity: DagAccessEntity | None) -> bool:
    """Whether Airflow lets ``user`` do this to a DAG or a part of it."""
    return get_auth_manager().is_authorized_dag(
        method=method,  # type: ignore[arg-type]
        access_entity=entity,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )
