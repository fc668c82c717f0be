"""Bounded HTTP: a GET that ends in time, stays small, and fails with one clear sentence.

It is used for Spark's master and drivers and for Prometheus. It owns the deadline, the retries, the
limit on the answer's size, and the decoding of JSON from an untrusted sender.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from kitwai.errors import SourceError

MAX_BYTES = 8 * 1024 * 1024
"""Most bytes of an answer. A larger answer is refused."""

_CONNECT_TIMEOUT_S = 1.0
_ATTEMPTS = 3  # the first and at most two retries

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer with status 200. ``url`` is without credentials, fit for messages.

    ``server_time`` is the ``Date`` header in whole epoch seconds, None without the header.
    """

    url: str
    body: bytes
    server_time: float | None = None


class _TransientError(SourceError):
    """A fault that may be gone on the next attempt."""


def open_client() -> httpx.AsyncClient:
    """A client for one round of reading; close it with ``async with``.

    It uses no proxy of the environment, since cluster addresses are internal. It refuses
    compression, so that a small answer cannot unpack into a huge answer.
    """
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=None),
        # Reading is bounded by the deadline of each `get`.
        timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
    )


async def get(
    client: httpx.AsyncClient, url: str, *, timeout_s: float, max_bytes: int = MAX_BYTES
) -> Answer:
    """GET ``url`` within ``timeout_s``, retries included.

    Connection faults and 5xx are tried again at most twice; redirects are not followed.

    :raises SourceError: no answer with status 200 and at most ``max_bytes`` came in time.
    """
    shown = _without_credentials(url)
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(client, url, shown, max_bytes)
    except (TimeoutError, httpx.TimeoutException) as fault:
        waited = time.monotonic() - started
        raise SourceError(f"{shown} gave no complete answer within {waited:.1f} s.") from fault
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as fault:
        raise SourceError(f"{shown} could not be read: {_text(fault)}.") from fault


@retry(
    retry=retry_if_exception_type(_TransientError),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_exponential(multiplier=0.05),
    reraise=True,
)
async def _get(client: httpx.AsyncClient, url: str, shown: str, max_bytes: int) -> Answer:
    try:
        async with client.stream("GET", url) as response:
            _check(response, shown)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > max_bytes:
                    raise SourceError(
                        f"{shown} answered with more than {max_bytes} bytes and was cut off."
                    )
            return Answer(shown, bytes(body), _server_time(response))
    except httpx.ConnectError as fault:
        raise _TransientError(f"{shown} cannot be connected to: {_text(fault)}.") from fault
    except (httpx.NetworkError, httpx.RemoteProtocolError) as fault:
        raise _TransientError(f"{shown} broke the connection off: {_text(fault)}.") from fault


def decode(model: TypeAdapter[T], answer: Answer) -> T:
    """``answer`` as ``model``, straight from its bytes.

    Pydantic's parser bounds the nesting, and never builds a field that the model does not name.

    :raises SourceError: the answer is not JSON, or a needed field is missing or of another type.
        The sentence names the first such field, never its value.
    """
    try:
        return model.validate_json(answer.body)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"][:200]
        raise SourceError(
            f"{answer.url} did not answer as expected: {where + ': ' if where else ''}{message}."
        ) from None


def _check(response: httpx.Response, shown: str) -> None:
    if response.is_server_error:
        raise _TransientError(f"{shown} answered with status {response.status_code}.")
    if response.is_redirect:
        raise SourceError(
            f"{shown} redirects elsewhere (status {response.status_code}), which is not followed: "
            "give the address it leads to."
        )
    if response.status_code != httpx.codes.OK:
        raise SourceError(f"{shown} answered with status {response.status_code}.")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise SourceError(f"{shown} answered compressed, which was not asked for.")


def _without_credentials(url: str) -> str:
    """``url`` without user, password, query and fragment. :raises SourceError: no http(s) URL."""
    try:
        parsed = httpx.URL(url)
        shown = str(parsed.copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError, TypeError):
        raise SourceError("An address is not a URL: write it as http://host:port.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SourceError(f"{shown!r} is not an http or https URL: write it as http://host:port.")
    return shown


def _server_time(response: httpx.Response) -> float | None:
    # Spark's reverse proxy sends the header twice.
    dates = response.headers.get_list("date")
    try:
        return parsedate_to_datetime(dates[-1]).timestamp() if dates else None
    except (ValueError, OverflowError):
        return None


def _text(fault: Exception) -> str:
    return str(fault).rstrip(".") or type(fault).__name__
