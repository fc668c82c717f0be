"""A service that serves few requests at once, so that more workers do not make its users faster.

It stands for a database or a metered API that all tasks of an application share.
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from kitwai_lab.local.started import Started


class SharedService(Started):
    """Serves ``GET`` on a free port with an empty answer, ``at_once`` requests at a time."""

    def __init__(self, answer_s: float, at_once: int, host: str = "127.0.0.1") -> None:
        """:param answer_s: seconds that each request takes, once its turn has come."""
        self._server = _Server((host, 0), _handler(answer_s, threading.Semaphore(at_once)))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="shared-service", daemon=True
        )

    @property
    def url(self) -> str:
        """The service's address."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; requests that wait end with the process."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Closing does not wait for requests whose turn has not come.
    block_on_close = False
    request_queue_size = 256


def _handler(answer_s: float, turns: threading.Semaphore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout: ClassVar[float] = 120.0

        def do_GET(self) -> None:
            """Answer once it is the request's turn."""
            with turns:
                time.sleep(answer_s)
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests are not logged: there are hundreds."""

    return Handler
