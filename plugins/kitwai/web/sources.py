"""Where the routes get what they answer: store, connections, checkpoints of this Airflow."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException

from kitwai.config.connection import ClusterConfig
from kitwai.config.options import clusters, models_root, store_url
from kitwai.errors import InvalidInputError
from kitwai.registry.known_runs import OwnRuns, own_runs
from kitwai.store.store import Store
from kitwai.store.timeline import Timelines


@cache
def _store(url: str) -> Store:
    return Store(url)


@cache
def _timelines(url: str) -> Timelines:
    return Timelines(_store(url).engine)


def store() -> Store:
    """The store; one engine a process."""
    return _store(store_url())


def timelines() -> Timelines:
    """The reader of timelines; one a process, because it remembers."""
    return _timelines(store_url())


def configured(cluster: str) -> str:
    """The cluster of the path, which must be a configured one."""
    if cluster not in clusters():
        raise HTTPException(404, "There is no such cluster in [kitwai] clusters.")
    return cluster


def connection(cluster: str) -> ClusterConfig:
    """What the connection of ``cluster`` says.

    :raises InvalidInputError: it cannot be used.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

    from kitwai.hooks.spark_cluster import SparkClusterHook

    try:
        return SparkClusterHook(cluster).config
    except (AirflowNotFoundException, AirflowException) as error:
        raise InvalidInputError(f"Airflow has no usable connection {cluster!r}.") from error


def past_runs(cluster: str) -> OwnRuns | None:
    """The cluster's own file of past runs, None where its connection names none or is wrong."""
    try:
        return own_runs(connection(cluster).history)
    except InvalidInputError:
        return None


StoreOf = Annotated[Store, Depends(store)]
TimelinesOf = Annotated[Timelines, Depends(timelines)]
Cluster = Annotated[str, Depends(configured)]
Models = Annotated[Path, Depends(models_root)]
