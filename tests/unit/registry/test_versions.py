from __future__ import annotations

import io
import json
import os
import shutil
import threading

import numpy as np
import pytest

from kitwai.cli.main import main
from kitwai.core.policy.policy import NetworkPolicy
from kitwai.core.policy.state import GLOBAL_FEATURES, TARGET_FEATURES, TARGETS
from kitwai.errors import CheckpointError
from kitwai.registry.versions import (
    champion,
    load_policy,
    promote,
    rollback,
    save_version,
    verify,
    versions,
)
from saved_versions import (
    PRICES,
    TRUSTED,
    archive,
    changed,
    filled,
    manifest,
    move,
    save,
)


@pytest.fixture
def root(tmp_path):
    for version in ("v1", "v2", "v3"):
        save(tmp_path / "models", version)
    move(tmp_path / "models", "v1")
    return tmp_path / "models"


def test_a_saved_version_is_listed_verified_and_loaded(root):
    assert versions(root) == ["v1", "v2", "v3"]
    assert verify(root, "v2")["version"] == "v2"
    policy = load_policy(root, "v2")
    assert policy.version == "v2"
    assert policy.prices == PRICES
    assert policy.trusted == TRUSTED
    with np.load(io.BytesIO(archive())) as arrays:
        saved = NetworkPolicy("v2", dict(arrays))
    rng = np.random.default_rng(0)
    features = (
        rng.normal(size=(3, len(GLOBAL_FEATURES))),
        rng.normal(size=(3, TARGETS, len(TARGET_FEATURES))),
        np.ones((3, TARGETS), dtype=np.bool_),
    )
    assert policy.correct(*features).shape == (3, TARGETS, 2)
    assert (policy.correct(*features) == saved.correct(*features)).all()
    assert load_policy(root).version == "v1"


def test_an_empty_or_missing_registry_has_no_champion(tmp_path):
    assert versions(tmp_path / "none") == []
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(CheckpointError, match="There is no champion"):
            load_policy(folder)


def _tamper(version):
    content = bytearray((version / "weights.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (version / "weights.npz").write_bytes(content)


def _other_weights(version):
    (version / "weights.npz").write_bytes(filled("context_bias", 1.0))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (_tamper, "weights.npz was altered"),
        (_other_weights, "weights.npz was altered"),
        (lambda v: (v / "weights.npz").unlink(), "weights.npz is missing"),
        (lambda v: (v / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda v: (v / "manifest.json").write_text("{"), "not the manifest"),
        (lambda v: (v / "manifest.json").write_text("[" * 100_000), "not the manifest"),
        (lambda v: (v / "manifest.json").write_text("[]"), "not the manifest"),
        (lambda v: (v / "manifest.json").write_bytes(b"\xff\xfe"), "not the manifest"),
        (changed(lambda m: m["files"].clear()), "does not list"),
        (changed(lambda m: m["files"].update({"../x": "0"})), "does not list"),
        (changed(lambda m: m["files"].update({"model.keras\0": "0"})), "does not list"),
        (changed(lambda m: m["files"].update({"weights.npz": 0})), "does not list"),
        (changed(lambda m: m["features"].reverse()), "features"),
        (changed(lambda m: m["features"].pop()), "features"),
        (changed(lambda m: m["features"].append({"name": "more"})), "features"),
        (changed(lambda m: m["features"][0].update(name="cpu")), "features"),
        (changed(lambda m: m["features"][0].pop("name")), "not the manifest"),
        (changed(lambda m: m.pop("features")), "not the manifest"),
        (changed(lambda m: m.update(version="v9")), "belongs to"),
        (changed(lambda m: m.pop("prior")), "another prediction"),
        (changed(lambda m: m["prior"].update(prediction="other")), "another prediction"),
        (changed(lambda m: m["prior"].update(logistic=1.7)), "another prediction"),
        (shutil.rmtree, "manifest.json is missing"),
    ],
)
def test_a_spoilt_version_is_refused_with_the_file_and_the_fault(root, spoil, fault):
    spoil(root / "v2")
    for use in (lambda: load_policy(root, "v2"), lambda: verify(root, "v2")):
        with pytest.raises(CheckpointError, match=fault) as caught:
            use()
        assert str(root / "v2") in str(caught.value)
    with pytest.raises(CheckpointError, match=fault):
        move(root, "v2")
    assert champion(root) == "v1"


def test_loading_leaves_the_keras_model_alone_and_verifying_does_not(root):
    (root / "v2" / "model.keras").write_bytes(b"altered")
    load_policy(root, "v2")
    with pytest.raises(CheckpointError, match=r"model.keras was altered"):
        verify(root, "v2")


@pytest.mark.parametrize(
    "version",
    ["../v1", "..", ".", "", "v1/../v2", "/etc", "V1", ".new-x", "champion", "v" * 65, "v1\n", "é"],
)
def test_names_that_could_leave_the_registry_are_refused(root, version):
    for use in (load_policy, verify, move, save):
        with pytest.raises(CheckpointError, match="is not the name of a version"):
            use(root, version)


@pytest.mark.parametrize("content", ["../v1\n", "", "v1\nv2\n", "\x00", "v1 v2"])
def test_a_champion_file_that_names_no_version_is_refused(root, content):
    (root / "champion").write_text(content)
    with pytest.raises(CheckpointError, match="must hold one line"):
        load_policy(root)


@pytest.mark.parametrize("name", [None, "weights.npz", "manifest.json"])
def test_a_link_that_leads_out_of_the_registry_is_refused(root, tmp_path, name):
    inside, outside = root / "v2" if name is None else root / "v2" / name, tmp_path / "outside"
    inside.rename(outside)
    inside.symlink_to(outside)
    for use in (load_policy, verify, move):
        with pytest.raises(CheckpointError, match=r"v2.* leads out of the registry"):
            use(root, "v2")


def test_what_killed_writers_have_left_goes_after_a_day(root):
    for name in (".new-file", ".new-folder"):
        (root / name).mkdir() if name == ".new-folder" else (root / name).touch()
    (root / ".new-folder" / "v9").mkdir()
    save(root, "v4")
    assert len(list(root.glob(".new-*"))) == 2
    for path in root.glob(".new-*"):
        os.utime(path, (0, 0))
    save(root, "v5")
    assert not list(root.glob(".new-*"))


def test_a_version_is_not_overwritten(root):
    before = (root / "v1" / "weights.npz").read_bytes()
    with pytest.raises(CheckpointError, match="exists already"):
        save(root, "v1", filled("context_bias", 1.0))
    assert (root / "v1" / "weights.npz").read_bytes() == before


def test_a_registry_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(CheckpointError, match="cannot be saved in"):
        save(tmp_path / "models", "v1")


def test_a_version_whose_writer_fails_leaves_nothing(root):
    def write(folder):
        (folder / "weights.npz").write_bytes(archive())
        raise OSError("disk full")

    with pytest.raises(CheckpointError, match="disk full"):
        save_version(root, "v4", manifest(), write)
    assert versions(root) == ["v1", "v2", "v3"]
    assert not list(root.glob(".new-*"))


def test_promotions_are_undone_one_by_one(root):
    move(root, "v2")
    move(root, "v2")
    move(root, "v3")
    assert champion(root) == "v3"
    assert [rollback(root), rollback(root)] == ["v2", "v1"]
    with pytest.raises(CheckpointError, match="no champion before v1"):
        rollback(root)
    assert champion(root) == "v1"


def test_a_promotion_cut_in_the_middle_does_not_confuse_a_rollback(root):
    move(root, "v2")
    # What a crash between the two writes of promote(v3) leaves.
    (root / "history").write_text("v1\nv2\n")
    assert rollback(root) == "v1"


def test_rollback_refuses_a_spoilt_version(root):
    move(root, "v2")
    _tamper(root / "v1")
    with pytest.raises(CheckpointError, match="altered"):
        rollback(root)
    assert champion(root) == "v2"


def test_of_promotions_at_once_one_wins_and_the_others_are_told(root):
    ready = threading.Barrier(4)
    before = champion(root)
    rivals = [f"v{n}" for n in range(2, 6)]
    for version in rivals[2:]:
        shutil.copytree(root / "v2", root / version)
        path = root / version / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": version}))
    won, told = [], []

    def change(version):
        ready.wait()
        try:
            promote(root, version, before)
            won.append(version)
        except CheckpointError as error:
            told.append(str(error))

    threads = [threading.Thread(target=change, args=(version,)) for version in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [champion(root)]
    assert len(told) == 3
    assert all(f"the champion is {won[0]} by now, no longer {before}" in one for one in told)
    assert (root / "history").read_text().split() == [before]
    assert not list(root.glob(".new-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_registry_that_cannot_be_written_says_so(root):
    root.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match="cannot be"):
            move(root, "v2")
    finally:
        root.chmod(0o700)


def test_the_shipped_champion_is_whole_and_says_how_it_was_made(repository):
    models = repository / "include" / "models"
    made = verify(models, champion(models))
    assert made["command"].startswith("kitwai train")
    # Versions of earlier Kitwais call the forecast so.
    forecast = "analytic" if "analytic" in made["metrics"]["new"] else "forecast"
    for rows in made["metrics"].values():
        assert set(rows) == {"network", forecast, "always-N"}
        assert rows[forecast]["static_ratio"] < rows["always-N"]["static_ratio"]
        # Cooldowns cost it some limits in disturbed runs: .974 where always-N meets .994.
        assert rows[forecast]["hit_rate"] >= 0.975 * rows["always-N"]["hit_rate"]
    assert made["data"]["held_out"] != made["data"]["training"]
    assert set(made["files"]) >= {"weights.npz", "model.keras", "card.md"}
    # It is heard only where it is better than the forecast alone.
    assert set(made["trusted"]) == {"informed", "uninformed"}
    for knowledge, regimes in (
        ("informed", ("recurring", "disturbed")),
        ("uninformed", ("new",)),
    ):
        rows = [made["metrics"][regime] for regime in regimes]
        of_network, of_forecast = (
            sum(row[name]["static_ratio"] + 10.0 * (1.0 - row[name]["hit_rate"]) for row in rows)
            for name in ("network", forecast)
        )
        assert of_network < of_forecast or not made["trusted"][knowledge]


def test_the_list_says_what_decides_and_how_well(repository, capsys):
    models = repository / "include" / "models"
    assert main(["models", "list", "--models", str(models)]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("*"))
    assert champion(models) in line
    assert "decides on known families: hit rate 0." in line


def test_a_list_of_no_folder_says_so(tmp_path, capsys):
    assert main(["models", "list", "--models", str(tmp_path / "none")]) == 1
    assert f"--models names {tmp_path}/none, which is no folder" in capsys.readouterr().err
