"""Hands on to a Docker engine what Kitwai's pool of workers needs (`rules`), and refuses the rest.

Python's standard library alone; its settings are environment variables: PROXY_IMAGE and
PROXY_NETWORK (required), PROXY_SOCKET, PROXY_HOST, PROXY_PORT.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from rules import POOL_LABEL, Bounds, Refused, check

MOST_SENT = 64 << 10
MOST_ANSWERED = 32 << 20
TIMEOUT_S = 60.0
_HEADERS_BACK = ("Content-Type", "Api-Version", "Ostype", "X-Docker-Container-Path-Stat")


class _Engine(HTTPConnection):
    """The engine behind its socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    """What goes back: HTTP status, body, headers."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def _said(status: int, message: str) -> Answer:
    """A message in the engine's own form, which its clients show."""
    body = json.dumps({"message": message}).encode()
    return Answer(status, body, {"Content-Type": "application/json"})


class Proxy:
    """Checks requests and asks the engine at ``path``."""

    def __init__(self, path: str, bounds: Bounds) -> None:
        self._socket = path
        self._bounds = bounds

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """The engine's answer, or a refusal (403), or that the engine gives none (502)."""
        try:
            call = check(method, target, body, self._bounds)
            path = call.path
            if call.worker is not None:
                seen = self._ask("GET", f"/containers/{call.worker}/json")
                if seen.status != 200:
                    return seen
                # From here on by its id: a name may have become another container's.
                path = path.replace("{worker}", _id_of_worker(seen.body))
            query = f"?{call.query}" if call.query else ""
            return self._ask(method, quote(path, safe="/:@") + query, call.body)
        except Refused as refused:
            return _said(403, f"Kitwai's socket proxy refuses this: {refused}")
        except (OSError, HTTPException) as error:
            return _said(502, f"the Docker engine gives no answer: {type(error).__name__}")

    def _ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        engine = _Engine(self._socket)
        try:
            kind = "application/x-tar" if method == "PUT" else "application/json"
            engine.request(method, target, body or None, {"Content-Type": kind} if body else {})
            return _read(engine.getresponse())
        finally:
            engine.close()


def _read(response: HTTPResponse) -> Answer:
    body = response.read(MOST_ANSWERED + 1)
    if len(body) > MOST_ANSWERED:
        return _said(502, "the Docker engine's answer is too long")
    headers = {name: value for name in _HEADERS_BACK if (value := response.headers.get(name))}
    return Answer(response.status, body, headers)


def _id_of_worker(inspected: bytes) -> str:
    container = json.loads(inspected)
    if POOL_LABEL not in (container["Config"].get("Labels") or {}):
        raise Refused("this container is of no pool")
    return str(container["Id"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    proxy: Proxy

    def _do(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", length):
            answer, self.close_connection = _said(411, "Content-Length is needed"), True
        elif int(length) > MOST_SENT:
            answer, self.close_connection = _said(413, "the body is too long"), True
        else:
            answer = self.proxy.answer(self.command, self.path, self.rfile.read(int(length)))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status not in (204, 304):
            self.wfile.write(answer.body)
        if answer.status in (403, 502):
            self.log_error("%s", answer.body.decode(errors="replace"))

    do_GET = do_POST = do_PUT = do_DELETE = _do

    def log_request(self, *_: object) -> None:
        """Only what is refused or fails is logged: a step asks a dozen times."""


def serve(proxy: Proxy, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound, and answers once ``serve_forever`` is called."""
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server


def main() -> int:
    """Serve; with ``--check``, tell whether the proxy and the engine behind it answer."""
    port = int(os.environ.get("PROXY_PORT", "2375"))
    if sys.argv[1:] == ["--check"]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ping", timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    try:
        bounds = Bounds(os.environ["PROXY_IMAGE"], os.environ["PROXY_NETWORK"])
    except KeyError as missing:
        sys.exit(f"The variable {missing.args[0]} is missing: set it.")
    proxy = Proxy(os.environ.get("PROXY_SOCKET", "/var/run/docker.sock"), bounds)
    serve(proxy, os.environ.get("PROXY_HOST", "0.0.0.0"), port).serve_forever()  # noqa: S104
    return 0


if __name__ == "__main__":
    sys.exit(main())
