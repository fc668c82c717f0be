"""``kitwai train``: train the agent in the simulator and save it as a new version."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.cli.output import check_writable, make_folder
from kitwai.errors import CheckpointError, InvalidInputError, KitwaiError

if TYPE_CHECKING:
    from rich.console import Console

    from kitwai.core.records.profile import ApplicationProfile
    from kitwai.learning.selection import Selection
    from kitwai.learning.train import Trained
    from kitwai.learning.training_config import TrainingConfig
    from kitwai.sim.library import Library

_TRAIN_PROFILES, _JUDGE_PROFILES = 600, 120
_TABLE_PROFILES = 24


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("train", help="train the agent and save it as a new version")
    parser.add_argument(
        "--profiles", type=Path, help="folder of application profiles (default: synthetic ones)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, help="of training (default: the trainer's)")
    parser.add_argument("--logs", type=Path, help="folder for TensorBoard")
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="keep the state of the training in this file, and go on from it where it exists",
    )
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
    for folder in filter(None, (arguments.out, arguments.logs)):
        make_folder(folder)
    if arguments.resume is not None:
        check_writable(arguments.resume)

    from rich.console import Console

    from kitwai.learning.card import grid_table
    from kitwai.learning.export import Network, Origin, export
    from kitwai.learning.selection import select
    from kitwai.learning.training_config import TrainingConfig
    from kitwai.learning.trial import Trial
    from kitwai.registry.history_file import history_text
    from kitwai.sim.episodes import LIMIT_GRID_S, WORKER_GRID
    from kitwai.sim.library import Library
    from kitwai.sim.past_runs import history_of
    from kitwai.sim.policy_controller import PolicyController
    from kitwai.sim.synthetic import HELD_OUT_SEED

    config = TrainingConfig(seed=arguments.seed)
    if arguments.rounds is not None:
        held = max(1, arguments.rounds * config.held_rounds // config.rounds)
        config = TrainingConfig(
            seed=arguments.seed, held_rounds=held, played_rounds=arguments.rounds - held
        )
    console = Console(stderr=True)
    trained = _run(Library(training), config, arguments, console)
    with console.status("judging on applications that it was not trained on"):
        policy = trained.policy()
        selection = select(Library(held_out), policy, arguments.seed + HELD_OUT_SEED)
        policy.trusted = selection.trusted
        few, seed = Library(held_out[:_TABLE_PROFILES]), arguments.seed + HELD_OUT_SEED
        trial = Trial(few, ("recurring",), seed, WORKER_GRID, LIMIT_GRID_S)
        table = grid_table(trial, PolicyController(policy))
    origin = Origin(
        command=_command(arguments),
        data=data,
        grid={"N": WORKER_GRID, "T_s": LIMIT_GRID_S},
        parent=_champion(arguments.out),
    )
    runs = None
    if arguments.profiles is not None:
        # Past runs of a user's own applications help more than any network.
        runs = history_text(history_of(Library((*training, *held_out))))
    version = export(
        arguments.out, Network.of(trained), config, selection, origin, table=table, runs=runs
    )
    _print(console, selection)
    print(version)
    if trained.fault is not None:
        raise KitwaiError(f"{trained.fault} It is saved as {version}.")
    console.print(f"To use it: kitwai models promote {version} --models {arguments.out}")
    return 0


def _run(
    library: Library, config: TrainingConfig, arguments: argparse.Namespace, console: Console
) -> Trained:
    """Train, with a progress bar."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from kitwai.learning.experience_sources import SimulatorSource
    from kitwai.learning.train import train

    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("round {task.completed} of {task.total}, loss {task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=config.rounds, loss="-")

        def progress(done: int, loss: float) -> None:
            bar.update(task, completed=done, loss=f"{loss:.4f}")

        return train(
            SimulatorSource(library, config),
            config,
            budget_s=arguments.budget,
            logs=arguments.logs,
            resume=arguments.resume,
            progress=progress,
        )


def _check(arguments: argparse.Namespace) -> None:
    if arguments.out.exists() and not arguments.out.is_dir():
        raise InvalidInputError(f"--out must be a folder, but {arguments.out} is a file.")
    if arguments.seed < 0:
        raise InvalidInputError(f"--seed must not be negative, but is {arguments.seed}.")
    if arguments.rounds is not None and arguments.rounds < 1:
        raise InvalidInputError(f"--rounds must be at least 1, not {arguments.rounds}.")
    if arguments.budget is not None and not arguments.budget > 0:
        raise InvalidInputError(f"--budget must be a positive time, not {arguments.budget:g} s.")


def _profiles(
    folder: Path | None, seed: int
) -> tuple[tuple[ApplicationProfile, ...], tuple[ApplicationProfile, ...], dict[str, Any]]:
    """Profiles to train on, profiles to judge on (of other families), and what they are."""
    from kitwai.core.records.profile import load_profiles
    from kitwai.sim.synthetic import HELD_OUT_SEED, synthetic_profiles

    if folder is None:
        training = synthetic_profiles(_TRAIN_PROFILES, seed)
        held_out = synthetic_profiles(_JUDGE_PROFILES, seed + HELD_OUT_SEED)
        data: dict[str, Any] = {
            "source": "kitwai.sim.synthetic",
            "training": {"seed": seed, "profiles": len(training)},
            "held_out": {"seed": seed + HELD_OUT_SEED, "profiles": len(held_out)},
        }
        return training, held_out, data
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
    data = {
        "source": str(folder),
        "training": {"apps": [profile.app for profile in training]},
        "held_out": {"apps": [profile.app for profile in held_out]},
    }
    return training, held_out, data


def _print(console: Console, selection: Selection) -> None:
    from rich.table import Table

    columns = ("hit_rate", "static_ratio", "p95_static_ratio", "lateness", "ops_per_episode")
    for regime, rows in selection.metrics.items():
        shown = Table(title=f"{regime}, on applications that it was not trained on")
        for name in ("policy", *columns):
            shown.add_column(
                name.replace("_", " "), justify="left" if name == "policy" else "right"
            )
        for name, row in rows.items():
            cells = (row[column] for column in columns)
            shown.add_row(name, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
        console.print(shown)
    for knowledge, sentence in selection.reasons.items():
        console.print(f"{knowledge}: {sentence}")


def _champion(root: Path) -> str | None:
    from kitwai.registry.versions import champion

    try:
        return champion(root)
    except CheckpointError:
        return None


def _command(arguments: argparse.Namespace) -> str:
    options = [("--profiles", arguments.profiles), ("--out", arguments.out)]
    options += [("--seed", arguments.seed), ("--rounds", arguments.rounds)]
    options += [("--budget", arguments.budget)]
    return " ".join(["kitwai train", *(f"{k} {v}" for k, v in options if v is not None)])
