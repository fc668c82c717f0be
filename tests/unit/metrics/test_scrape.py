"""`metrics.scrape`: the port that serves the metrics."""

from __future__ import annotations

import threading

import httpx
import pytest

from kitwai.errors import InvalidInputError, StoreError
from kitwai.metrics.scrape import scrape_server


def test_the_port_serves_the_page_and_nothing_else():
    pages = iter(["kitwai_x 1\n"])

    def text() -> str:
        try:
            return next(pages)
        except StopIteration:
            raise StoreError("The store is gone.") from None

    server = scrape_server("127.0.0.1", 0, text)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        answer = httpx.get(f"{url}/metrics", timeout=30)
        assert (answer.status_code, answer.text) == (200, "kitwai_x 1\n")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        for path, method, status in (
            ("/", "GET", 404),
            ("/metrics", "GET", 503),
            ("/metrics", "POST", 501),
        ):
            answer = httpx.request(method, f"{url}{path}", timeout=30)
            assert answer.status_code == status
            assert "store is gone" not in answer.text
        with pytest.raises(InvalidInputError, match="cannot be listened on"):
            scrape_server("127.0.0.1", server.server_port, text)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
