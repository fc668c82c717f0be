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
    from kitwai.actions.replay_report import ReplayReport, ReplaySide, ShadowReport
    from kitwai.core.decide.comparison import Seen


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

    from pydantic import TypeAdapter, ValidationError
    from rich.console import Console
    from rich.progress import Progress

    from kitwai.actions.replay_report import ReplayReport, ReplayRequest, replay_report
    from kitwai.config.options import models_root, store_url
    from kitwai.registry.known_runs import own_runs
    from kitwai.store.store import Store

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
        report = replay_report(
            Store(store_url()),
            arguments.models or models_root(),
            arguments.cluster,
            request,
            own=own,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(replay_text(report))
    if arguments.json is not None:
        write_json(arguments.json, TypeAdapter(ReplayReport).dump_python(report, mode="json"))
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


def replay_text(report: ReplayReport) -> str:
    """The figures in plain text."""
    compared = report.comparison
    share = "" if report.share is None else f" ({report.share:.1%})"
    recorded, replayed = report.recorded.name, report.replayed.name
    lines = [
        f"Cluster {report.cluster}: {report.observations} decisions of {recorded} made again by "
        f"{replayed}.",
        "",
        "Decisions, under the recorded past:",
        f"  other target      {report.differs}{share}: {compared.fewer} with fewer workers, "
        f"{compared.more} with more",
    ]
    if compared.workers is not None:
        lines.append(f"  workers           {compared.workers:+.3f} in the mean")
    lines += [*_seen(recorded, compared.first), *_seen(replayed, compared.second)]
    lines += ["", "Outcome, of the applications whose event logs are in the store:"]
    lines += [
        _outcome("happened", report.real),
        _outcome(f"simulated, {recorded}", report.recorded),
        _outcome(f"simulated, {replayed}", report.replayed),
    ]
    if report.recorded.worker_s is not None and report.replayed.worker_s is not None:
        lines.append(
            f"  difference of the simulated: "
            f"{(report.replayed.met or 0) - (report.recorded.met or 0):+d} limits met, "
            f"{report.replayed.worker_s - report.recorded.worker_s:+.0f} worker-seconds"
        )
    lines += [f"  not played: {printable(name)}" for name in report.unknown]
    lines += [f"Note: {printable(note)}" for note in report.notes]
    return "\n".join(lines)


def shadow_text(report: ShadowReport) -> str:
    """The figures of a challenger in plain text."""
    compared = report.comparison
    share = "" if compared.share is None else f" ({compared.share:.1%})"
    lines = [
        f"{report.checkpoint} in the shadow of {report.champion} on {report.cluster}:",
        f"  other target      {report.differs} of {report.decisions}{share}: "
        f"{report.fewer_workers} with fewer workers, {report.more_workers} with more",
        f"  regret            {_number(report.regret_champion)} of its targets as the champion "
        f"sees them, {_number(report.regret_challenger)} of the champion's as it sees them",
    ]
    lines += [*_seen(report.champion, compared.first), *_seen(report.checkpoint, compared.second)]
    if compared.judged:
        lines.append(
            f"  same forecast     on {compared.same_forecast} of {compared.judged} decisions on "
            "applications"
        )
    if report.kinship:
        lines.append(f"  {report.kinship}")
    lines += [_outcome(f"simulated, {side.name}", side) for side in report.outcome or ()]
    lines += [f"  note: {printable(note)}" for note in report.notes]
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


def _outcome(name: str, side: ReplaySide) -> str:
    if side.limits is None:
        return f"  {name}: not known"
    paid = "?" if side.worker_s is None else f"{side.worker_s:.0f}"
    return f"  {name}: {side.met} of {side.limits} limits met, {paid} worker-seconds"


def printable(text: str) -> str:
    """The text without what a terminal would act on: names of applications may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
