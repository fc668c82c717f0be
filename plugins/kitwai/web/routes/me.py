"""Who asks."""

from __future__ import annotations

from fastapi import APIRouter

from kitwai.web.schemas import Me
from kitwai.web.security import Reader, csrf_token, may_answer, may_change, may_promote

router = APIRouter(tags=["me"])


@router.get("/me")
def get_me(user: Reader) -> Me:
    """The name of the user, what they may do, and their token for changes."""
    return Me(
        name=user.get_name(),
        may_change=may_change(user),
        may_answer=may_answer(user),
        may_promote=may_promote(user),
        csrf=csrf_token(user),
    )
