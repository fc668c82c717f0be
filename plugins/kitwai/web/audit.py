"""Airflow's audit log: who changed what on the page or by the API, beside Airflow's own events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.models.log import Log
from airflow.utils.session import create_session
from sqlalchemy.orm import Session

_LONGEST_OWNER = 500


@contextmanager
def audited(
    event: str, user: BaseUser, what: dict[str, Any], *, dag_id: str, **task: Any
) -> Iterator[Session]:
    """Make a change in the block of this, and an entry that tells of it.

    The entry is written before the block and committed after it. Where Airflow's database does not
    take it, nothing is changed; where the block raises, there is no entry. Only a database that is
    lost in the very moment of the commit leaves a change without its entry, and the user is told.

    :param what: what is changed, kept as JSON; the block may add to it. It must hold no secret.
    :param dag_id: of the DAG that the user could have run to the same end.
    :param task: ``run_id``, ``task_id`` and ``map_index`` of a task that the change is for.
    :returns: the session of the entry, for changes in Airflow's database.
    :raises SQLAlchemyError: the entry could not be written.
    """
    name = user.get_name()[:_LONGEST_OWNER]
    entry = Log(
        event, owner=name, owner_display_name=name, extra=json.dumps(what), dag_id=dag_id, **task
    )
    # A session of its own: whatever the block asks Airflow for must not end it.
    with create_session(scoped=False) as session:
        session.add(entry)
        session.flush()
        yield session
        entry.extra = json.dumps(what)
