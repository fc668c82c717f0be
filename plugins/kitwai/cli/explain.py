"""``kitwai explain``: prints why a stored decision was made, and makes it again."""

from __future__ import annotations

import argparse
from pathlib import Path

from kitwai.errors import InvalidInputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "explain", help="print why a decision was made, and make it again from the store"
    )
    parser.add_argument("decision", type=int, help="id of the decision")
    parser.add_argument(
        "--models", type=Path, help="folder of the checkpoints (default: the configured one)"
    )
    parser.add_argument(
        "--history",
        type=Path,
        help="the cluster's own file of past runs (default: its connection's)",
    )
    parser.set_defaults(run=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    """Exit code 0 when the decision made again is the same to the last bit."""
    from kitwai.actions.explain import explain, explanation_text
    from kitwai.cli.cluster import cluster_hook
    from kitwai.config.options import models_root, store_url
    from kitwai.store.store import Store
    from kitwai.store.tables import MOST_ID

    if not 1 <= arguments.decision <= MOST_ID:
        raise InvalidInputError(f"There is no decision {arguments.decision}: name its id.")
    store, history = Store(store_url()), arguments.history
    made = store.decision(arguments.decision).decision
    if history is None and made.history is not None:
        history = cluster_hook(made.cluster).config.history
    explained = explain(
        store, arguments.decision, arguments.models or models_root(), history=history
    )
    print(explanation_text(explained))
    return 0 if explained.identical else 1
