"""Notices through Airflow's notifiers (Slack, SMTP, ...), as `[kitwai] notifiers` names them.

A notifier that fails or hangs is named in the log and fails nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import BaseNotifier

from kitwai.config.options import notifiers
from kitwai.core.decide.notices import Notice
from kitwai.errors import InvalidInputError

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0


def send(notices: Iterable[Notice], context: Mapping[str, Any]) -> None:
    """Give each notice to each notifier, as ``kitwai`` in its templates: ``{{ kitwai.text }}``.

    :param context: of the task.
    """
    for notice in notices:
        log.info("%s %s: %s", notice.event, notice.state, notice.text)
        for path in notifiers():
            try:
                # Rendering changes a notifier, so every notice has its own.
                for notifier in _load(path):
                    _bounded(notifier, {**context, "kitwai": dataclasses.asdict(notice)})
            except Exception as error:  # whatever a user's code raises
                log.error("[kitwai] notifiers: %s failed: %s", path, error)


def _load(path: str) -> list[BaseNotifier]:
    """The notifiers that ``module:name`` stands for: one, a class of one, or what gives some."""
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, BaseNotifier):
        return [copy.deepcopy(found)]
    made = found()
    several = [made] if isinstance(made, BaseNotifier) else list(made)
    for one in several:
        if not isinstance(one, BaseNotifier):
            raise InvalidInputError(f"it gave {type(one).__name__}, not an Airflow notifier.")
    return several


def _bounded(notifier: BaseNotifier, context: dict[str, Any]) -> None:
    """Call it, and wait no longer than `TIMEOUT_S`: the next step must not wait for a mail server.

    :raises Exception: what it raised, or that it hangs.
    """
    raised: list[Exception] = []

    def call() -> None:
        try:
            notifier(context)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=call, daemon=True, name="kitwai-notifier")
    thread.start()
    thread.join(TIMEOUT_S)
    if thread.is_alive():
        raise TimeoutError(f"no end after {TIMEOUT_S:.0f} s")
    if raised:
        raise raised[0]
