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
_FOR_EVER = "private, max-age=31536000, immutable"


@router.get("/{path:path}")
async def get_page(path: str, request: Request, bearer: Bearer) -> Response:
    """A file of the page; every other address is the page's own affair and gets its index."""
    try:
        await run_in_threadpool(reader, await signed_in(request, bearer))
    except HTTPException as error:
        if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
            login = get_auth_manager().get_url_login(next_url=str(request.url))
            return RedirectResponse(login, 307)
        raise
    file = _files().get(path)
    if file is None and (Path(path).suffix or path.startswith(("api/", "assets/"))):
        raise HTTPException(404, "There is no such page.")
    if file is None or file.name == "index.html":
        return _index()
    # The build names assets by their content.
    cache_control = _FOR_EVER if path.startswith("assets/") else "no-cache"
    return FileResponse(
        file,
        media_type=mimetypes.guess_type(file.name)[0],
        headers={"Cache-Control": cache_control},
    )


@cache
def _files() -> dict[str, Path]:
    """All files of the page by their address: no path that a client sends reaches the disk."""
    return {
        path.relative_to(STATIC).as_posix(): path
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }


def _index() -> Response:
    index = _files().get("index.html")
    if index is None:
        raise HTTPException(404, "This Kitwai was installed without its page.")
    return FileResponse(index, media_type="text/html", headers={"Cache-Control": "no-cache"})
