"""What holds for every request and answer: size of bodies, headers, one sentence for each error."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kitwai.errors import (
    CheckpointError,
    InvalidInputError,
    KitwaiError,
    PromotionError,
    StoreError,
)
from kitwai.store.database import DatabaseError

MAX_BODY = 64 * 1024
"""Bytes; the largest request is a few hundred."""

_HEADERS = {
    # Airflow shows the page in a frame of its own origin.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}
_STATUS = {
    InvalidInputError: 422,
    PromotionError: 409,
    CheckpointError: 409,
    StoreError: 503,
}

log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware: refuses large bodies, and adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with both ends wrapped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def receive_part() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise HTTPException(413, f"The body is larger than {MAX_BODY} bytes.")
            return message

        async def send_part(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive_part, send_part)


def add_error_handlers(app: FastAPI) -> None:
    """Make every error ``{"detail": one sentence}``."""

    def answer(status: int, detail: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"detail": detail}, status, headers=headers)

    @app.exception_handler(StarletteHTTPException)
    async def _http(_request: Request, error: StarletteHTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()
        # One field: what else is wrong is told when this is right. A value that fits none of
        # several kinds has an error for each.
        where = errors[0]["loc"][1:2]
        wrong = [one["msg"] for one in errors if one["loc"][1:2] == where]
        return answer(422, f"{where[0] if where else 'the body'}: {'; or: '.join(wrong)}."[:500])

    @app.exception_handler(KitwaiError)
    async def _kitwai(_request: Request, error: KitwaiError) -> JSONResponse:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        return answer(status, str(error))

    @app.exception_handler(DatabaseError)
    async def _database(_request: Request, error: DatabaseError) -> JSONResponse:
        log.error("The database gave no answer.", exc_info=error)
        return answer(503, "The database gave no answer; ask again, the log of Airflow says why.")

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return answer(500, "Kitwai could not answer; the log of Airflow's API server says why.")
