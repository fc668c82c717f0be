from __future__ import annotations

import json

import numpy as np
import pytest

from kitwai.cli.main import build_parser, main

COMMANDS = ["observe", "decide", "scale", "train", "models", "demo", "bench"]
COMMANDS += ["parse-log", "metrics", "export", "import"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice"),
        (["scale"], "--target"),
        (["scale", "--target", "many"], "invalid int value"),
    ],
)
def test_wrong_usage_is_one_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rounds", "0"], "--rounds must be at least 1, not 0"),
        (["--seed", "-1"], "--seed must not be negative, but is -1"),
        (["--budget", "0"], "--budget must be a positive time, not 0 s"),
        (["--budget", "nan"], "--budget must be a positive time"),
        (["--profiles", "/nowhere"], "/nowhere does not exist"),
        (["--out", __file__], "--out must be a folder"),
    ],
)
def test_train_refuses_bad_options_in_one_line(tmp_path, capsys, options, words):
    out = tmp_path / "models"
    assert main(["train", "--out", str(out), *options]) == 1
    message = capsys.readouterr().err
    assert message.startswith("kitwai: ")
    assert words in message
    assert message.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "x", "--seed", "one"], "invalid int value: 'one'"),
        (["--out", "x", "--rounds", "1.5"], "invalid int value: '1.5'"),
        (["--out", "x", "--budget", "long"], "invalid float value: 'long'"),
        ([], "--out"),
    ],
)
def test_train_says_what_is_no_number_in_one_line(capsys, options, words):
    with pytest.raises(SystemExit) as ended:
        main(["train", *options])
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in message
    assert message.count("\n") == 1


def test_train_needs_a_second_family_to_judge_on(tmp_path, capsys):
    profile = {
        "app": "a",
        "family": "only",
        "inputs": {},
        "cores_per_worker": 2,
        "stages": [{"id": 0, "parents": [], "task_ms": [5], "gap_ms": 0}],
        "source": "test",
    }
    (tmp_path / "a.json").write_text(json.dumps(profile))
    assert main(["train", "--profiles", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "at least two are needed" in capsys.readouterr().err


@pytest.fixture
def few_profiles(monkeypatch):
    """Training and judging on applications enough to run, too few to learn from."""
    monkeypatch.setattr("kitwai.cli.train._TRAIN_PROFILES", 20)
    monkeypatch.setattr("kitwai.cli.train._JUDGE_PROFILES", 8)


@pytest.mark.slow
def test_train_on_profiles_gives_a_version_that_knows_their_runs(tmp_path, capsys, few_profiles):
    from kitwai.registry.versions import load_runs
    from kitwai.sim.synthetic import synthetic_profiles

    folder = tmp_path / "profiles"
    folder.mkdir()
    profiles = synthetic_profiles(12, 1)
    for at, profile in enumerate(profiles):
        (folder / f"{at:02d}.json").write_text(json.dumps(profile.to_dict()))
    out = tmp_path / "models"
    assert main(["train", "--profiles", str(folder), "--out", str(out), "--rounds", "2"]) == 0
    known = load_runs(out, capsys.readouterr().out.strip())
    assert {run.app for runs in known.values() for run in runs} == {one.app for one in profiles}
    assert set(known) == {one.family for one in profiles}


@pytest.mark.slow
def test_train_saves_a_version_that_verifies_and_can_be_promoted(tmp_path, capsys, few_profiles):
    from kitwai.core.policy.state import GLOBAL_FEATURES, TARGET_FEATURES, TARGETS
    from kitwai.registry.versions import load_policy, verify, versions
    from kitwai.sim.episodes import REGIMES

    out = tmp_path / "models"
    assert main(["train", "--out", str(out), "--rounds", "2", "--seed", "3"]) == 0
    shown = capsys.readouterr()
    version = shown.out.strip()
    assert versions(out) == [version]
    made = verify(out, version)
    assert made["command"] == f"kitwai train --out {out} --seed 3 --rounds 2"
    assert (made["seed"], made["parent"]) == (3, None)
    assert made["training"]["updates_done"] == 2 * made["training"]["updates"]
    assert set(made["metrics"]) == set(REGIMES)
    assert made["data"]["held_out"] == {"seed": 1_000_006, "profiles": 8}
    assert set(made["files"]) >= {"card.md", "curve.png", "cost.png", "grid.png"}
    assert len(made["losses"]) == 2
    assert np.shape(made["table"]["hit"]) == (10, 6)
    assert f"kitwai models promote {version}" in shown.err
    assert main(["models", "promote", version, "--models", str(out)]) == 0
    policy = load_policy(out)
    assert policy.version == version
    assert policy.trusted == made["trusted"]

    import keras

    rng = np.random.default_rng(0)
    global_ = rng.uniform(-2.0, 3.0, size=(1000, len(GLOBAL_FEATURES)))
    of_target = rng.uniform(-2.0, 3.0, size=(1000, TARGETS, len(TARGET_FEATURES)))
    everywhere = np.ones((1000, TARGETS), dtype=np.bool_)
    model = keras.models.load_model(out / version / "model.keras")
    inputs = [one.astype(np.float32) for one in (global_, of_target, everywhere / TARGETS)]
    theirs = np.asarray(model(inputs))
    assert np.abs(theirs).max() > 0.0
    assert np.abs(policy.correct(global_, of_target, everywhere) - theirs).max() < 1e-5


@pytest.mark.slow
def test_train_saves_the_last_good_state_of_a_training_that_fails(
    tmp_path, capsys, few_profiles, monkeypatch
):
    from kitwai.learning import train as training
    from kitwai.registry.versions import verify, versions

    fit, rounds = training.fit_round, []

    def spoilt(*arguments):
        rounds.append(fit(*arguments))
        return rounds[-1] if len(rounds) == 1 else float("nan")

    monkeypatch.setattr(training, "fit_round", spoilt)
    assert main(["train", "--out", str(tmp_path), "--rounds", "2"]) == 1
    shown = capsys.readouterr()
    version = shown.out.strip()
    assert versions(tmp_path) == [version]
    made = verify(tmp_path, version)
    assert made["training"]["updates_done"] == made["training"]["updates"]
    last = shown.err.strip().splitlines()[-1]
    assert last.startswith("kitwai: Round 2 gave numbers that are not finite")
    assert last.endswith(f"It is saved as {version}.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("train --out o --profiles none", "none does not exist"),
        ("train --out o --profiles empty", "holds no profile"),
        ("train --out o --profiles spoilt", "spoilt/a.json is refused: it is not JSON"),
        ("train --out file/o --profiles profiles", "file/o cannot be made or written"),
        ("train --out /proc/o --profiles profiles", "/proc/o cannot be made or written"),
        ("train --out o --profiles profiles --logs file", "file cannot be made or written"),
        ("train --out o --profiles profiles --resume folder", "folder cannot be written"),
        ("train --out o --profiles profiles --resume none/x", "none/x cannot be written"),
        ("evaluate --profiles spoilt --json r.json", "it is not JSON"),
        ("evaluate --profiles profiles --json folder", "folder cannot be written"),
        ("evaluate --profiles profiles --json /dev/null", "/dev/null cannot be written"),
        ("evaluate --profiles profiles --json /proc/r.json", "/proc/r.json cannot be written"),
        ("evaluate --profiles profiles --json r.json --picture none/a.png", "none/a.png cannot be"),
        ("evaluate --profiles profiles --json r.json --models none", "none"),
        ("models promote v --models none", "is missing"),
        ("models promote v --models file", "cannot be read: Not a directory"),
        ("models rollback --models none", "none"),
        ("models verify --models file", "file"),
        ("models shadow --json none/x", "none/x cannot be written"),
        ("history --profiles spoilt --out h.json", "it is not JSON"),
        ("history --profiles profiles --out folder", "folder cannot be written"),
        ("history --profiles profiles --out file/h.json", "file cannot be made or written"),
        ("profile file --out file", "file cannot be made or written"),
        ("day --profiles none --json d.json", "none does not exist"),
        ("day --profiles profiles --json none/d.json", "none/d.json cannot be written"),
        ("bench step --runs 0", "--runs must be at least 1, not 0"),
        ("bench reaction --changes 0", "--changes must be at least 1, not 0"),
        ("bench calibrate --repeats 0", "--repeats must be at least 1, not 0"),
        ("bench fidelity --logs file", "file cannot be made or written"),
        ("bench fidelity --logs folder --profiles file", "file cannot be made or written"),
        ("bench fidelity --constants none", "The constants none cannot be read"),
        ("bench fidelity --constants some.json", "some.json lack application_stagger_s"),
        ("export --cluster a --out none/x", "none/x cannot be written"),
        ("import none --cluster a", "none cannot be read"),
        ("import folder --cluster a", "folder cannot be read"),
        ("import file --cluster a --start nan", "--start must be epoch seconds"),
        ("parse-log none", "none"),
        ("parse-log folder", "folder"),
        ("demo --out file", "file cannot be made or written"),
        ("explain 1", "no row 1"),
        ("explain 1 --history none", "no row 1"),
        ("explain 99999999999999999999", "99999999999999999999"),
        ("replay --from 2026-01-01 --policy always-N --json none/x", "none/x cannot be written"),
        ("replay --from 2026-01-01 --policy always-N --history none", "none cannot be read"),
        ("replay --from 2026-01-01 --policy always-N --history file", "file is not a history"),
        ("replay --from 2026-01-01 --policy always-N --history list.json", "is not a history"),
        ("replay --from 2026-01-01 --policy always-N --history huge.json", "is not a history"),
        (f"replay --from 2026-01-01 --checkpoint {'x' * 101}", "--checkpoint: String should"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(place, arguments, words, capsys):
    before = sorted(one.name for one in place.iterdir() if one.name != "kitwai.db")
    assert main(arguments.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kitwai: ")
    assert words in line
    left = sorted(one.name for one in place.iterdir() if one.name != "kitwai.db")
    # An empty folder for results may be there already.
    assert [one for one in left if one not in (*before, "o")] == []
