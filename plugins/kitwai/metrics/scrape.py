"""Serves the one read-only page that Prometheus scrapes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kitwai.errors import InvalidInputError, KitwaiError
from kitwai.metrics.prometheus_text import CONTENT_TYPE

log = logging.getLogger(__name__)

_TIMEOUT_S = 10.0


def scrape_server(host: str, port: int, text: Callable[[], str]) -> ThreadingHTTPServer:
    """A server of ``/metrics``, to be run by its ``serve_forever``.

    :param text: makes the page anew for each scrape.
    :raises InvalidInputError: the address cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version = "kitwai"
        sys_version = ""
        timeout = _TIMEOUT_S  # a connection that sends nothing is closed

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404, "Only /metrics is served.")
                return
            try:
                body = text().encode()
            except KitwaiError as error:
                log.error("%s", error)
                self.send_error(503, "The store gave no answer (see the log).")
                return
            except Exception:
                log.exception("The metrics could not be made.")
                self.send_error(500, "The metrics could not be made (see the log).")
                return
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            log.debug(format, *args)

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        raise InvalidInputError(f"{host}:{port} cannot be listened on: {error}.") from error
