"""The local HTTP service that the demo's application waits on.

The service stands for a metered API. It answers each request after a fixed time, however many
requests wait. So an application is slow without using the processor, and more workers make it
faster.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from kitwai_lab.local.started import Started


class PermitService(Started):
    """Serves ``GET /permit`` on a free port with an empty answer after a fixed time.

    ``asked`` holds the addresses from which permits were asked for.
    """

    def __init__(self, latency_s: float, host: str = "127.0.0.1") -> None:
        """:param latency_s: seconds that each permit takes; ``host``: address to serve at."""
        self.asked: set[str] = set()
        self._hastened = threading.Event()
        self._server = _Server((host, 0), _handler(latency_s, self._hastened, self.asked))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="permit-service", daemon=True
        )

    @property
    def url(self) -> str:
        """The address that hands out permits."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/permit"

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def hasten(self) -> None:
        """Answer everything that waits, and from now on at once."""
        self._hastened.set()

    def stop(self) -> None:
        """Answer everything that waits, and serve no more."""
        self.hasten()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Every slot of the cluster may ask at the same moment; the default queue holds five.
    request_queue_size = 256


def _handler(
    latency_s: float, hastened: threading.Event, asked: set[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout: ClassVar[float] = 60.0

        def do_GET(self) -> None:
            """Answer after the fixed time, or at once when the service was hastened."""
            asked.add(self.client_address[0])
            hastened.wait(latency_s)
            self.send_response(204 if self.path == "/permit" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests are not logged: there are thousands."""

    return Handler
