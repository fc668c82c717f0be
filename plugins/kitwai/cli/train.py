"""``kitwai train``: train the agent in the simulator and save it as a new version."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.errors import CheckpointError, InvalidInputError

if TYPE_CHECKING:
    from kitwai.sim.judging import Judgement
    from kitwai.sim.profile import ApplicationProfile

HELD_OUT_SEED = 1_000_003
"""Synthetic profiles for judging come from the training's seed plus this."""

_TRAIN_PROFILES, _JUDGE_PROFILES, _JUDGE_EPISODES = 2000, 500, 2000
_GUARD_MARGIN = 0.9
_ANALYTIC_MARGINS = (0.9, 0.7, 0.5, 0.3)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("train", help="train the agent and save it as a new version")
    parser.add_argument(
        "--profiles", type=Path, help="folder of application profiles (default: synthetic ones)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="simulator steps (default: the trainer's)")
    parser.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help="stop training after this time; the result then depends on the machine's speed",
    )
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> int:
    _check(arguments)
    training, held_out, data = _profiles(arguments.profiles, arguments.seed)

    import numpy as np
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kitwai.learning.export import export
    from kitwai.learning.train import DQNConfig, train
    from kitwai.sim.episodes import draw_episodes
    from kitwai.sim.judging import Judge
    from kitwai.sim.library import Library

    config = DQNConfig(seed=arguments.seed)
    if arguments.steps is not None:
        config = DQNConfig(seed=arguments.seed, steps=arguments.steps)
    console = Console(stderr=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps, loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=config.steps, loss="-")
        trained = train(
            Library(training),
            config,
            budget_s=arguments.budget,
            progress=lambda steps, loss: bar.update(task, completed=steps, loss=f"{loss:.4f}"),
        )
    with console.status("judging on applications that it was not trained on"):
        library = Library(held_out)
        rng = np.random.default_rng(arguments.seed + HELD_OUT_SEED)
        judge = Judge(library, draw_episodes(library, _JUDGE_EPISODES, rng))
        table = _table(judge, trained.policy())
    version = export(
        arguments.out,
        trained,
        config,
        command=_command(arguments),
        data=data,
        metrics={name: _row(judgement) for name, judgement in table.items()},
        parent=_champion(arguments.out),
    )
    _print(console, table)
    print(version)
    console.print(f"To use it: kitwai models promote {version} --models {arguments.out}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.seed < 0:
        raise InvalidInputError(f"--seed must not be negative, but is {arguments.seed}.")
    if arguments.steps is not None and arguments.steps < 1:
        raise InvalidInputError(f"--steps must be at least 1, not {arguments.steps}.")
    if arguments.budget is not None and not arguments.budget > 0:
        raise InvalidInputError(f"--budget must be a positive time, not {arguments.budget:g} s.")


def _profiles(
    folder: Path | None, seed: int
) -> tuple[tuple[ApplicationProfile, ...], tuple[ApplicationProfile, ...], dict[str, Any]]:
    """Profiles to train on, profiles to judge on (of other families), and what they are."""
    from kitwai.sim.profile import load_profiles
    from kitwai.sim.synthetic import synthetic_profiles

    if folder is None:
        training = synthetic_profiles(_TRAIN_PROFILES, seed)
        held_out = synthetic_profiles(_JUDGE_PROFILES, seed + HELD_OUT_SEED)
        return (
            training,
            held_out,
            {
                "source": "kitwai.sim.synthetic",
                "training": {"seed": seed, "profiles": len(training)},
                "held_out": {"seed": seed + HELD_OUT_SEED, "profiles": len(held_out)},
            },
        )
    profiles = load_profiles(folder)
    families = sorted({profile.family for profile in profiles})
    if len(families) < 2:
        raise InvalidInputError(
            f"The profiles in {folder} are all of the family {families[0]!r}: at least two are "
            "needed, one of them to judge on."
        )
    import numpy as np

    np.random.default_rng(seed).shuffle(families)
    apart = set(families[: max(1, len(families) // 5)])
    training = tuple(profile for profile in profiles if profile.family not in apart)
    held_out = tuple(profile for profile in profiles if profile.family in apart)
    return (
        training,
        held_out,
        {
            "source": str(folder),
            "training": {"apps": [profile.app for profile in training]},
            "held_out": {"apps": [profile.app for profile in held_out]},
        },
    )


def _table(judge: Any, policy: Any) -> dict[str, Judgement]:
    import numpy as np

    from kitwai.core.policy import AnalyticPolicy, NetworkPolicy
    from kitwai.core.state import FEATURE_NAMES, TARGETS
    from kitwai.sim.judging import follow, guarded

    nothing = (np.zeros((len(FEATURE_NAMES), TARGETS)), np.zeros(TARGETS))
    untrained = NetworkPolicy("untrained", [nothing], np.zeros(1), np.ones(1))
    runs = {
        "champion": judge.run(follow(policy)),
        "guarded": judge.run(guarded(policy, _GUARD_MARGIN)),
        "untrained": judge.run(follow(untrained)),
        **{
            f"analytic@{margin:.2f}": judge.run(follow(AnalyticPolicy(margin)))
            for margin in _ANALYTIC_MARGINS
        },
        "always-N": judge.at_most,
        "best static": judge.hold(judge.best),
    }
    return {name: judge.judge(outcome) for name, outcome in runs.items()}


def _row(judgement: Judgement) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(judgement)


def _print(console: Any, table: dict[str, Judgement]) -> None:
    from rich.table import Table

    first = next(iter(table.values()))
    shown = Table(
        title=f"{first.episodes} episodes, {first.feasible} of them feasible, on other applications"
    )
    columns = ("hit_rate", "static_ratio", "p95_static_ratio", "worker_hours", "lateness")
    for name in ("policy", *columns, "ops_per_episode"):
        justify: Any = "left" if name == "policy" else "right"
        shown.add_column(name.replace("_", " "), justify=justify, no_wrap=name == "policy")
    for name, row in table.items():
        cells = _row(row)
        values = [cells[one] for one in (*columns, "ops_per_episode")]
        shown.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    console.print(shown)


def _champion(root: Path) -> str | None:
    from kitwai.store.registry import champion

    try:
        return champion(root)
    except CheckpointError:
        return None


def _command(arguments: argparse.Namespace) -> str:
    options = [("--profiles", arguments.profiles), ("--out", arguments.out)]
    options += [("--seed", arguments.seed), ("--steps", arguments.steps)]
    options += [("--budget", arguments.budget)]
    return " ".join(["kitwai train", *(f"{k} {v}" for k, v in options if v is not None)])
