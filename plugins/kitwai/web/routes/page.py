"""The page: the files that the build of ``ui/`` has put into ``static/``."""

from __future__ import annotations

import mimetypes
from functools import cache
from pathlib import Path

from airflow.api_fastapi.app import get_auth_manager
from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, RedirectResponse, Response

from kitwai.web.security import Bearer, reader, signed_in

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).resolve().parents[1] / "static"
_NO_PAGE = "This Kitwai was installed without its page."
_FOR_EVER = "private, max-age=31536000, immutable"


@router.get("/{path:path}")
async def get_page(path: str, request: Request, bearer: Bearer) -> Response:
    """A file of the page. Its own addresses stand behind ``#`` and never come here."""
    try:
        await run_in_threadpool(reader, await signed_in(request, bearer))
    except HTTPException as error:
        if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
            login = get_auth_manager().get_url_login(next_url=str(request.url))
            return RedirectResponse(login, 307)
        raise
    file = _files().get(path or "index.html")
    if file is None:
        raise HTTPException(404, _NO_PAGE if not path else "There is no such page.")
    kind, _ = mimetypes.guess_type(file.name)
    # The build names assets by their content.
    keep = _FOR_EVER if path.startswith("assets/") else "no-cache"
    return FileResponse(file, media_type=kind, headers={"Cache-Control": keep})


@cache
def _files() -> dict[str, Path]:
    """All files of the page by their address: no path that a client sends reaches the disk."""
    return {
        path.relative_to(STATIC).as_posix(): path
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
