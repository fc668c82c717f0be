"""``kitwai observe``, ``decide`` and ``scale``: the parts of a step, each by hand."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kitwai.errors import InvalidInputError

if TYPE_CHECKING:
    from kitwai.hooks.spark_cluster import SparkClusterHook


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the three subcommands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--cluster",
        default="spark_cluster_default",
        help="Airflow connection id of the cluster (default: %(default)s)",
    )
    asked = argparse.ArgumentParser(add_help=False)
    asked.add_argument("-N", "--max-workers", type=int, help="N, the most workers")
    asked.add_argument("-T", "--limit", help="T, the time limit, such as 10min")

    observe = subparsers.add_parser(
        "observe", parents=[common], help="look at a cluster and print what was seen as JSON"
    )
    observe.set_defaults(run=_printing(_observe))
    decide = subparsers.add_parser(
        "decide", parents=[common, asked], help="look, decide, and print the decision as JSON"
    )
    decide.set_defaults(run=_printing(_decide))
    scale = subparsers.add_parser(
        "scale", parents=[common], help="make a cluster's pool reach a number of workers"
    )
    scale.add_argument("--target", type=int, required=True, help="workers to reach, 1..N")
    scale.add_argument(
        "--wait", type=float, default=120.0, help="seconds to wait (default: %(default)s)"
    )
    scale.set_defaults(run=_printing(_scale))


def _printing(
    work: Callable[[argparse.Namespace], tuple[Any, bool]],
) -> Callable[[argparse.Namespace], int]:
    """``work`` as a command: its record as JSON on stdout, exit code 0 if it succeeded."""

    def run(arguments: argparse.Namespace) -> int:
        # Airflow logs to stdout, which belongs to the record.
        with contextlib.redirect_stdout(sys.stderr):
            record, succeeded = work(arguments)
        print(json.dumps(dataclasses.asdict(record), indent=2))
        return 0 if succeeded else 1

    return run


def cluster_hook(conn_id: str, **asked: object) -> SparkClusterHook:
    """The hook of a connection. :raises InvalidInputError: there is no such connection."""
    # Airflow's SDK reads connections from Airflow's database only in a process of this kind.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"

    from airflow.sdk.exceptions import AirflowException

    from kitwai.hooks.spark_cluster import SparkClusterHook

    hook = SparkClusterHook(conn_id, **asked)  # type: ignore[arg-type]
    try:
        _ = hook.config
    except AirflowException as error:
        name = conn_id.upper()
        raise InvalidInputError(
            f"Airflow has no connection {conn_id!r}: add one, or set AIRFLOW_CONN_{name}."
        ) from error
    return hook


def _observe(arguments: argparse.Namespace) -> tuple[Any, bool]:
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    hook = cluster_hook(arguments.cluster)
    store = Store(store_url())
    observation = hook.observe(
        store.past(arguments.cluster, time.time()),
        previous=store.newest_observation(arguments.cluster),
        logs=True,
    )
    # A master that gives no answer is a failure of the command, not of a part.
    return observation, observation.workers is not None


def _decide(arguments: argparse.Namespace) -> tuple[Any, bool]:
    from kitwai.actions.settings import settings_in_force
    from kitwai.config.options import store_url
    from kitwai.core.decide.cluster import decide
    from kitwai.registry.champion import load_champion
    from kitwai.store.store import Store

    hook = cluster_hook(arguments.cluster, max_workers=arguments.max_workers, limit=arguments.limit)
    store = Store(store_url())
    settings = settings_in_force(hook, store, time.time())
    observation = hook.observe(store.past(arguments.cluster, time.time()))
    champion = load_champion()
    decision = decide(
        observation,
        settings,
        champion.policy,
        no_policy_reason=champion.why_not,
        history=champion.history(hook.history),
        history_sha256=hook.history_sha256,
    )
    return decision, decision.target is not None


def _scale(arguments: argparse.Namespace) -> tuple[Any, bool]:
    from kitwai.actions.scale import scale_cluster
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    # A person who names a target has decided. The connection's mode guards only the DAG.
    hook = cluster_hook(arguments.cluster)
    settings = hook.config.settings
    if not 1 <= arguments.target <= settings.constraint.max_workers:
        raise InvalidInputError(
            f"--target must lie in 1..N (1..{settings.constraint.max_workers}), "
            f"not be {arguments.target}."
        )
    outcome = scale_cluster(Store(store_url()), hook, arguments.target, wait_s=arguments.wait)
    return outcome, outcome.settled
