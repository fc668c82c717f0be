from __future__ import annotations

import threading
import time

import httpx

from kitwai_lab.bench.real.service import SharedService


def test_few_requests_are_served_at_once():
    codes: list[int] = []
    with SharedService(answer_s=0.2, at_once=2) as service:

        def ask() -> None:
            codes.append(httpx.get(service.url, timeout=10.0, trust_env=False).status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Three pairs, one after another.
        assert time.monotonic() - began >= 0.6
    assert codes == [204] * 6
