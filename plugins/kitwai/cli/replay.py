"""``kitwai replay``: recorded days decided again by another checkpoint or a baseline."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kitwai.cli.output import check_writable, write_json
from kitwai.errors import InvalidInputError

if TYPE_CHECKING:
    from kitwai.core.decide.comparison import Seen
    from kitwai.web.schemas import Replay, ReplayPolicy, ShadowView


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "replay", help="decide recorded days again with another checkpoint or a baseline"
    )
    parser.add_argument(
        "--cluster",
        default="spark_cluster_default",
        help="its connection's id (default: %(default)s)",
    )
    parser.add_argument(
        "--from", dest="since", required=True, metavar="TIME", help="as 2026-01-31 or with T14:00"
    )
    parser.add_argument("--to", dest="until", metavar="TIME", help="default: now; both in UTC")
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--checkpoint", metavar="V", help="a version of the registry")
    other.add_argument("--policy", metavar="NAME@MARGIN", help="a baseline, as always-N")
    parser.add_argument(
        "--models", type=Path, help="folder of the checkpoints (default: the configured one)"
    )
    parser.add_argument(
        "--history", type=Path, help="the cluster's own file of past runs, where it has one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the whole of it")
    parser.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    if arguments.json is not None:
        check_writable(arguments.json)
    since = moment(arguments.since)
    until = time.time() if arguments.until is None else moment(arguments.until)

    from pydantic import ValidationError
    from rich.console import Console
    from rich.progress import Progress

    from kitwai.config.options import models_root, store_url
    from kitwai.registry.known_runs import own_runs
    from kitwai.store.store import Store
    from kitwai.web.replays import replay_view
    from kitwai.web.schemas import ReplayRequest

    try:
        request = ReplayRequest(
            since=since, until=until, checkpoint=arguments.checkpoint, policy=arguments.policy
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InvalidInputError(f"--{wrong['loc'][0]}: {wrong['msg']}.") from error
    own = own_runs(arguments.history)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("deciding again", total=None)
        found = replay_view(
            Store(store_url()),
            arguments.models or models_root(),
            arguments.cluster,
            request,
            own=own,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(replay_text(found))
    if arguments.json is not None:
        write_json(arguments.json, found.model_dump(mode="json"))
    return 0


def moment(text: str) -> float:
    """Epoch seconds of a date or a moment as ISO 8601 has them; without an offset it is UTC.

    :raises InvalidInputError: it is neither.
    """
    try:
        made = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{text!r} is no moment: write it as 2026-01-31 or 2026-01-31T14:00."
        ) from error
    return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()


def replay_text(found: Replay) -> str:
    """The figures in plain text."""
    compared = found.comparison
    share = "" if found.share is None else f" ({found.share:.1%})"
    recorded, replayed = found.recorded.name, found.replayed.name
    lines = [
        f"Cluster {found.cluster}: {found.observations} decisions of {recorded} made again by "
        f"{replayed}.",
        "",
        "Decisions, under the recorded past:",
        f"  other target      {found.differs}{share}: {compared.fewer} with fewer workers, "
        f"{compared.more} with more",
    ]
    if compared.workers is not None:
        lines.append(f"  workers           {compared.workers:+.3f} in the mean")
    lines += [*_seen(recorded, compared.first), *_seen(replayed, compared.second)]
    lines += ["", "Outcome, of the applications whose event logs are in the store:"]
    lines += [
        _outcome("happened", found.real),
        _outcome(f"simulated, {recorded}", found.recorded),
        _outcome(f"simulated, {replayed}", found.replayed),
    ]
    if found.recorded.worker_s is not None and found.replayed.worker_s is not None:
        lines.append(
            f"  difference of the simulated: "
            f"{(found.replayed.met or 0) - (found.recorded.met or 0):+d} limits met, "
            f"{found.replayed.worker_s - found.recorded.worker_s:+.0f} worker-seconds"
        )
    lines += [f"  not played: {printable(one)}" for one in found.unknown]
    lines += [f"Note: {printable(one)}" for one in found.notes]
    return "\n".join(lines)


def shadow_text(view: ShadowView) -> str:
    """The figures of a challenger in plain text."""
    compared = view.comparison
    share = "" if compared.share is None else f" ({compared.share:.1%})"
    lines = [
        f"{view.checkpoint} in the shadow of {view.champion} on {view.cluster}:",
        f"  other target      {view.differs} of {view.decisions}{share}: {view.fewer_workers} with "
        f"fewer workers, {view.more_workers} with more",
        f"  regret            {_number(view.regret_champion)} of its targets as the champion sees "
        f"them, {_number(view.regret_challenger)} of the champion's as it sees them",
    ]
    lines += [*_seen(view.champion, compared.first), *_seen(view.checkpoint, compared.second)]
    if compared.judged:
        lines.append(
            f"  same forecast     on {compared.same_forecast} of {compared.judged} decisions on "
            "applications"
        )
    if view.kinship:
        lines.append(f"  {view.kinship}")
    lines += [_outcome(f"simulated, {one.name}", one) for one in view.outcome or ()]
    lines += [f"  note: {printable(one)}" for one in view.notes]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:+.4f}"


def _seen(name: str, seen: Seen) -> list[str]:
    if seen.loss is None:
        return []
    parts = [f"loss {seen.loss:+.4f}"]
    if seen.cost_s is not None:
        parts.append(f"{seen.cost_s:+.1f} worker-seconds")
    if seen.finish_s is not None:
        parts.append(f"finish {seen.finish_s:+.1f} s")
    if seen.miss is not None:
        parts.append(f"miss probability {seen.miss:+.4f}")
    return [f"  as {name} sees it: {', '.join(parts)}"]


def _outcome(name: str, one: ReplayPolicy) -> str:
    if one.limits is None:
        return f"  {name}: not known"
    paid = "?" if one.worker_s is None else f"{one.worker_s:.0f}"
    return f"  {name}: {one.met} of {one.limits} limits met, {paid} worker-seconds"


def printable(text: str) -> str:
    """The text without what a terminal would act on: names of applications may hold anything."""
    return "".join(one if one.isprintable() else "?" for one in text)
