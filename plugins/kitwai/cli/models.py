"""``kitwai models``: list, promote, roll back and verify the versions of the agent."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kitwai.errors import CheckpointError, InvalidInputError, StoreError

if TYPE_CHECKING:
    from kitwai.actions.promote import Change
    from kitwai.actions.shadow import ShadowFigures


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand with its actions."""
    models = subparsers.add_parser("models", help="list, promote, roll back or verify checkpoints")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--models", type=Path, help="folder of the checkpoints (default: the configured one)"
    )
    actions = models.add_subparsers(required=True, metavar="ACTION")

    listing = actions.add_parser("list", parents=[common], help="all versions, the champion marked")
    listing.set_defaults(run=_list)
    promote = actions.add_parser("promote", parents=[common], help="make a version the champion")
    promote.add_argument("version")
    promote.set_defaults(run=_promote)
    rollback = actions.add_parser(
        "rollback", parents=[common], help="restore the champion before the present one"
    )
    rollback.set_defaults(run=_rollback)
    verify = actions.add_parser("verify", parents=[common], help="check every file of a version")
    verify.add_argument("version", nargs="?", help="default: the champion")
    verify.set_defaults(run=_verify)
    shadow = actions.add_parser(
        "shadow", parents=[common], help="what challengers decided without acting"
    )
    shadow.add_argument("--cluster", help="only of this one")
    shadow.add_argument("--from", dest="since", metavar="TIME", help="as 2026-01-31, in UTC")
    shadow.add_argument(
        "--outcome", action="store_true", help="also play what came of it in the simulator"
    )
    shadow.add_argument("--json", type=Path, metavar="FILE", help="where to write the whole of it")
    shadow.set_defaults(run=_shadow)


def _root(arguments: argparse.Namespace) -> Path:
    if arguments.models is not None:
        return Path(arguments.models)
    from kitwai.config.options import models_root

    return models_root()


def _list(arguments: argparse.Namespace) -> int:
    from kitwai.core.policy.policy import FORECAST, NETWORK
    from kitwai.registry.versions import champion, read_manifest, versions

    root = _root(arguments)
    if arguments.models is not None and not root.is_dir():
        raise InvalidInputError(f"--models names {root}, which is no folder.")
    found = versions(root)
    shadows = _shadows()
    try:
        used = champion(root)
    except CheckpointError:
        used = None
    for version in found:
        try:
            manifest = read_manifest(root, version)
            # Where the network abstains, the forecast alone is what decides.
            decides = NETWORK if manifest["trusted"]["informed"] else FORECAST
            rows = manifest["metrics"]["recurring"]
            # Versions of earlier Kitwais call the forecast so.
            row = rows[decides] if decides in rows else rows["analytic"]
            about = (
                f"{decides} decides on known families: hit rate {row['hit_rate']:.3f}, "
                f"static ratio {row['static_ratio']:.3f}"
            )
        except CheckpointError as error:
            about = f"unusable: {error}"
        except (AttributeError, KeyError, TypeError, ValueError):
            about = "not judged"
        print(f"{'*' if version == used else ' '} {version}  {about}")
        for figures in shadows.get(version, []):
            print(f"    {figures.sentence()}")
    if not found:
        print(f"There is no version in {root}.")
    return 0


def _shadows() -> dict[str, list[ShadowFigures]]:
    """By version, what the store tells of it; nothing where the store cannot be opened: a list of
    versions does not need one.
    """
    from kitwai.actions.shadow import all_figures
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    found: dict[str, list[ShadowFigures]] = {}
    try:
        for figures in all_figures(Store(store_url()).engine):
            found.setdefault(figures.checkpoint, []).append(figures)
    except StoreError:
        return {}
    return found


def _shadow(arguments: argparse.Namespace) -> int:
    from pydantic import TypeAdapter

    from kitwai.actions.replay_report import ShadowReport, shadow_reports
    from kitwai.cli.output import check_writable, write_json
    from kitwai.cli.replay import moment, shadow_text
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    if arguments.json is not None:
        check_writable(arguments.json)
    reports = shadow_reports(
        Store(store_url()),
        _root(arguments),
        arguments.cluster,
        since=0.0 if arguments.since is None else moment(arguments.since),
        outcome=arguments.outcome,
    )
    if not reports:
        print("No version has decided in the shadow: name one in [kitwai] shadow.")
    for report in reports:
        print(shadow_text(report))
    if arguments.json is not None:
        shadows = TypeAdapter(list[ShadowReport]).dump_python(reports, mode="json")
        write_json(arguments.json, {"shadows": shadows})
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from kitwai.actions.promote import promotion

    root = _root(arguments)
    _change(root, promotion(root, arguments.version))
    print(f"{arguments.version} is the champion.")
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from kitwai.actions.promote import return_to_former

    root = _root(arguments)
    change = return_to_former(root)
    _change(root, change)
    print(f"{change.version} is the champion again.")
    return 0


def _change(root: Path, change: Change) -> None:
    """Move the champion. A registry is of use without a store, so that one that fails is told."""
    from kitwai.actions.promote import change_champion
    from kitwai.config.options import store_url
    from kitwai.store.store import Store

    untold = change_champion(root, change, lambda: Store(store_url()).engine, by="the command line")
    if untold is not None:
        print(f"kitwai: warning: {untold}", file=sys.stderr)


def _verify(arguments: argparse.Namespace) -> int:
    from kitwai.registry.versions import champion, verify

    root = _root(arguments)
    version = arguments.version or champion(root)
    verify(root, version)
    print(f"{version} is whole.")
    return 0
