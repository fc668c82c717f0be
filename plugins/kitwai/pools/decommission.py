"""Decommissioning a worker through its master, for who cannot send the worker a signal."""

from __future__ import annotations

import logging

import httpx

_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


def decommission(web_url: str, host: str) -> bool:
    """Ask the master to let the workers at the address ``host`` hand on what they have.

    A second time changes nothing. Masters do it only with ``spark.decommission.enabled=true`` and
    ``spark.master.ui.decommission.allow.mode=ALLOW`` in their own properties.

    :param web_url: the master's web UI.
    :returns: whether it does; not where it does not allow it, knows no such worker, or is silent.
    """
    try:
        # Of the answer its status alone is read. It never asks a proxy of the environment: cluster
        # addresses are inside.
        with httpx.stream(
            "POST",
            f"{web_url}/workers/kill/",
            params={"host": host},
            timeout=_TIMEOUT_S,
            trust_env=False,
        ) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("The master was not reached to decommission %s: %s", host, type(error).__name__)
        return False
    if status == httpx.codes.OK:
        return True
    if status == httpx.codes.NOT_FOUND:
        log.info("The master knows no worker at %s to decommission.", host)
        return False
    log.warning(
        "The master does not decommission %s (status %d): start it with "
        "spark.decommission.enabled=true and spark.master.ui.decommission.allow.mode=ALLOW.",
        host,
        status,
    )
    return False
