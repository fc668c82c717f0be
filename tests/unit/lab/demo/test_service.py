from __future__ import annotations

import time

import httpx

from kitwai_lab.demo.service import PermitService


def test_a_permit_takes_its_time_until_the_service_is_hastened():
    with PermitService(0.3) as service:
        begun = time.monotonic()
        assert httpx.get(service.url, trust_env=False, timeout=60).status_code == 204
        assert time.monotonic() - begun >= 0.3
        assert service.asked == {"127.0.0.1"}
    with PermitService(1e6) as service:
        service.hasten()
        assert httpx.get(service.url, trust_env=False, timeout=60).status_code == 204
