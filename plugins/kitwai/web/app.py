"""The FastAPI application that Airflow's API server mounts at ``/kitwai``: API and page.

Nothing in it answers before Airflow's auth manager has let the user in; `Guard` sees to the rest.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from kitwai import __version__
from kitwai.web.middleware import Guard, add_error_handlers
from kitwai.web.routes import approvals, clusters, decisions, me, models, page, replays
from kitwai.web.security import reader

API = "/api/v1"
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No valid token of Airflow."},
    403: {"description": "The user may not do this, or the request came from elsewhere."},
}


def create_app() -> FastAPI:
    """The application, to be mounted beside Airflow's own."""
    # Without FastAPI's own pages: those ask nobody who they are.
    app = FastAPI(
        title="Kitwai",
        version=__version__,
        description=__doc__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    api = APIRouter(prefix=API, dependencies=[Depends(reader)], responses=_ERRORS)
    for part in (me, clusters, decisions, approvals, models, replays):
        api.include_router(part.router)

    @api.get("/openapi.json", include_in_schema=False)
    def _openapi() -> dict[str, Any]:
        return app.openapi()

    app.include_router(api)
    app.include_router(page.router)
    add_error_handlers(app)
    app.add_middleware(Guard)
    return app


@cache
def cached_app() -> FastAPI:
    """The one application of this process."""
    return create_app()
