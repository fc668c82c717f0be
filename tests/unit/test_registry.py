from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import threading
import zipfile

import numpy as np
import pytest

from kitwai.core.policy import PRIOR
from kitwai.core.state import FEATURE_NAMES, GLOBAL_FEATURES, TARGET_FEATURES, TARGETS
from kitwai.errors import CheckpointError
from kitwai.store.registry import (
    champion,
    load_policy,
    promote,
    rollback,
    save_version,
    verify,
    versions,
)

WIDTH = 8
SHAPES = {
    "global_kernel": (len(GLOBAL_FEATURES), WIDTH),
    "global_bias": (WIDTH,),
    "target_kernel": (len(TARGET_FEATURES), WIDTH),
    "context_kernel": (WIDTH, WIDTH),
    "context_bias": (WIDTH,),
    "hidden_kernel": (WIDTH, WIDTH),
    "output_kernel": (WIDTH, 2),
    "output_bias": (2,),
}


def archive(**changes) -> bytes:
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **(arrays | changes))
    return buffer.getvalue()


def manifest(**changes):
    return {
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "prices": {"0.01": 10.0, "0.2": 0.3},
        "trusted": {"informed": True, "uninformed": False},
    } | changes


def save(root, version, weights=None, about=None):
    def write(folder):
        (folder / "weights.npz").write_bytes(archive() if weights is None else weights)
        (folder / "model.keras").write_bytes(b"for Keras")

    save_version(root, version, about or manifest(), write)


def rewrite(path, change):
    """Change a manifest in place."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.fixture
def root(tmp_path):
    for version in ("v1", "v2", "v3"):
        save(tmp_path / "models", version)
    promote(tmp_path / "models", "v1")
    return tmp_path / "models"


def test_a_saved_version_is_listed_verified_and_loaded(root):
    assert versions(root) == ["v1", "v2", "v3"]
    assert verify(root, "v2")["version"] == "v2"
    policy = load_policy(root, "v2")
    assert (policy.name, policy.version) == ("dqn", "v2")
    assert policy.prices == {0.01: 10.0, 0.2: 0.3}
    assert policy.trusted == {"informed": True, "uninformed": False}
    features = np.zeros((3, len(GLOBAL_FEATURES))), np.zeros((3, TARGETS, len(TARGET_FEATURES)))
    assert policy.correct(*features, np.ones((3, TARGETS))).shape == (3, TARGETS, 2)
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
    (version / "weights.npz").write_bytes(archive(global_bias=np.ones(8, dtype=np.float32)))


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
        (lambda v: rewrite(v / "manifest.json", lambda m: m["files"].clear()), "does not list"),
        (
            lambda v: rewrite(v / "manifest.json", lambda m: m["files"].update({"../x": "0"})),
            "does not list",
        ),
        (lambda v: rewrite(v / "manifest.json", lambda m: m["features"].reverse()), "features"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m["features"].pop()), "features"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.update(version="v9")), "belongs to"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.pop("prior")), "another prediction"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.pop("prices")), "no prices"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.update(prices=[])), "no prices"),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.update(prices={})), "finite and pos"),
        (
            lambda v: rewrite(v / "manifest.json", lambda m: m["prices"].update({"0.5": -1})),
            "finite and positive",
        ),
        (lambda v: rewrite(v / "manifest.json", lambda m: m.pop("trusted")), "is trusted"),
        (
            lambda v: rewrite(v / "manifest.json", lambda m: m["trusted"].update(informed="yes")),
            "is trusted",
        ),
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
        promote(root, "v2")
    assert champion(root) == "v1"


def test_loading_leaves_the_keras_model_alone_and_verifying_does_not(root):
    (root / "v2" / "model.keras").write_bytes(b"altered")
    load_policy(root, "v2")
    with pytest.raises(CheckpointError, match=r"model.keras was altered"):
        verify(root, "v2")


def _without(name):
    """The archive with one array left out."""
    whole, buffer = zipfile.ZipFile(io.BytesIO(archive())), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as part:
        for one in whole.namelist():
            if one != f"{name}.npy":
                part.writestr(one, whole.read(one))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("weights", "fault"),
    [
        (archive(global_bias=np.array([object()] * 8)), "plain numbers"),
        (b"no archive", "plain numbers"),
        (b"", "plain numbers"),
        (archive(global_bias=np.full(8, np.nan, dtype=np.float32)), "not finite"),
        (archive(global_bias=np.zeros(8, dtype=np.complex64)), "not finite"),
        (archive(global_bias=np.zeros(7, dtype=np.float32)), "do not fit together"),
        (archive(global_kernel=np.zeros((5, 8), dtype=np.float32)), "do not fit together"),
        (archive(hidden_kernel=np.zeros(8, dtype=np.float32)), "do not fit together"),
        (archive(hidden_kernel=np.float32(3.0)), "do not fit together"),
        (archive(output_kernel=np.zeros((8, 3), dtype=np.float32)), "do not fit together"),
        (archive(extra=np.zeros(1, dtype=np.float32)), "alone"),
        (_without("output_bias"), "alone"),
    ],
)
def test_weights_that_are_no_network_are_never_saved(tmp_path, weights, fault):
    with pytest.raises(CheckpointError, match=fault):
        save(tmp_path, "v1", weights)
    assert versions(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "version",
    ["../v1", "..", ".", "", "v1/../v2", "/etc", "V1", ".new-x", "champion", "v" * 65, "v1\n", "é"],
)
def test_names_that_could_leave_the_registry_are_refused(root, version):
    for use in (load_policy, verify, promote, save):
        with pytest.raises(CheckpointError, match="is not the name of a version"):
            use(root, version)


@pytest.mark.parametrize("content", ["../v1\n", "", "v1\nv2\n", "\x00", "v1 v2"])
def test_a_champion_file_that_names_no_version_is_refused(root, content):
    (root / "champion").write_text(content)
    with pytest.raises(CheckpointError, match="must hold one line"):
        load_policy(root)


def test_a_version_is_not_overwritten(root):
    before = (root / "v1" / "weights.npz").read_bytes()
    with pytest.raises(CheckpointError, match="exists already"):
        save(root, "v1", archive(global_bias=np.ones(8, dtype=np.float32)))
    assert (root / "v1" / "weights.npz").read_bytes() == before


def test_a_version_whose_writer_fails_leaves_nothing(root):
    def write(folder):
        (folder / "weights.npz").write_bytes(archive())
        raise OSError("disk full")

    with pytest.raises(CheckpointError, match="disk full"):
        save_version(root, "v4", manifest(), write)
    assert versions(root) == ["v1", "v2", "v3"]
    assert not list(root.glob(".new-*"))


def test_promotions_are_undone_one_by_one(root):
    promote(root, "v2")
    promote(root, "v2")
    promote(root, "v3")
    assert champion(root) == "v3"
    assert [rollback(root), rollback(root)] == ["v2", "v1"]
    with pytest.raises(CheckpointError, match="no champion before v1"):
        rollback(root)
    assert champion(root) == "v1"


def test_a_promotion_cut_in_the_middle_does_not_confuse_a_rollback(root):
    promote(root, "v2")
    # What a crash between the two writes of promote(v3) leaves.
    (root / "history").write_text("v1\nv2\n")
    assert rollback(root) == "v1"


def test_rollback_refuses_a_spoilt_version(root):
    promote(root, "v2")
    _tamper(root / "v1")
    with pytest.raises(CheckpointError, match="altered"):
        rollback(root)
    assert champion(root) == "v2"


def test_promotions_at_once_leave_one_whole_champion_and_the_history_of_all(root):
    ready = threading.Barrier(4)
    seen = []

    def change(version):
        ready.wait()
        for _ in range(5):
            promote(root, version)
            seen.append(load_policy(root).version)

    threads = [threading.Thread(target=change, args=(f"v{n % 3 + 1}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert set(seen) <= {"v1", "v2", "v3"}
    order = [*(root / "history").read_text().split(), champion(root)]
    assert all(one != other for one, other in itertools.pairwise(order))
    assert not list(root.glob(".new-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_registry_that_cannot_be_written_says_so(root):
    root.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match="cannot be"):
            promote(root, "v2")
    finally:
        root.chmod(0o700)


def test_the_shipped_champion_is_whole_and_says_how_it_was_made(repository):
    models = repository / "include" / "models"
    made = verify(models, champion(models))
    assert made["command"].startswith("kitwai train")
    for rows in made["metrics"].values():
        assert set(rows) == {"network", "analytic", "always-N"}
        # What decides where the network is not trusted.
        assert rows["analytic"]["static_ratio"] < rows["always-N"]["static_ratio"]
        assert rows["analytic"]["hit_rate"] >= 0.98 * rows["always-N"]["hit_rate"]
    assert set(made["trusted"]) == {"informed", "uninformed"}
