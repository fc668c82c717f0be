"""The checkpoint registry: versions of the agent in a folder, and the version that is champion.

Layout::

    <root>/<version>/weights.npz     the network's arrays (`policy.ARRAYS`; NumPy, no pickle)
    <root>/<version>/model.keras     the same network for Keras
    <root>/<version>/runs.json       past runs of applications (`registry.history_file`), if any
    <root>/<version>/card.md         the model card, and its pictures (`kitwai.learning.card`)
    <root>/<version>/manifest.json   how it was made, and the SHA-256 of the other files
    <root>/champion                  one line: the version in use
    <root>/history                   one line a former champion, the latest last

A version is whole or absent: it is written beside its place and renamed. A version with a wrong
hash, feature name, shape or number is not loaded (`kitwai.registry.manifest`); every fault raises
`CheckpointError` with one sentence. TensorFlow is not imported.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kitwai.core.forecast.past_runs import Record
from kitwai.core.policy.policy import NetworkPolicy
from kitwai.errors import CheckpointError, InvalidInputError, PromotionError
from kitwai.registry.history_file import parse_history
from kitwai.registry.manifest import (
    parse_manifest,
    parse_prices,
    parse_trusted,
    parse_weights,
)
from kitwai.store.files import replace_text, sync

WEIGHTS = "weights.npz"
MODEL = "model.keras"
RUNS = "runs.json"
CARD = "card.md"
MANIFEST = "manifest.json"
_CHAMPION = "champion"
_HISTORY = "history"
_VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_MAX_BYTES = 64 * 2**20
_ABANDONED_S = 24 * 3600.0


def load_policy(root: Path, version: str | None = None) -> NetworkPolicy:
    """The policy of a version; None: of the champion.

    :raises CheckpointError: it is missing, incomplete, altered, or made for other features.
    """
    version = champion(root) if version is None else version
    manifest = read_manifest(root, version)
    path = _folder(root, version) / WEIGHTS
    prices = parse_prices(manifest, path.with_name(MANIFEST))
    weights = parse_weights(_checked(root, version, manifest, WEIGHTS), path)
    trusted = parse_trusted(manifest, path.with_name(MANIFEST))
    return NetworkPolicy(version, weights, prices=prices, trusted=trusted)


def load_runs(root: Path, version: str | None = None) -> dict[str, tuple[Record, ...]]:
    """The past runs that a version knows, by the name of the application; None: of the champion.

    A version without the file knows no runs.

    :raises CheckpointError: the file is missing, altered, or no history.
    """
    version = champion(root) if version is None else version
    manifest = read_manifest(root, version)
    if RUNS not in manifest["files"]:
        return {}
    content = _checked(root, version, manifest, RUNS)
    try:
        return parse_history(content, _folder(root, version) / RUNS)
    except InvalidInputError as error:
        raise CheckpointError(str(error)) from error


def champion(root: Path) -> str:
    """The version in use.

    :raises CheckpointError: there is none, or the file does not name a version.
    """
    path = root / _CHAMPION
    if not path.exists():
        raise CheckpointError(
            f"There is no champion in {root}: promote a version with `kitwai models promote`."
        )
    lines = _lines(path)
    if len(lines) != 1 or not _is_version(lines[0]):
        raise CheckpointError(f"The file {path} must hold one line, the version of the champion.")
    return lines[0]


def present_champion(root: Path) -> str | None:
    """The version in use, None if there is none yet.

    :raises CheckpointError: the file does not name a version.
    """
    return champion(root) if (root / _CHAMPION).exists() else None


def versions(root: Path) -> list[str]:
    """All versions with a manifest, in alphabetical order.

    :raises CheckpointError: the folder cannot be listed.
    """
    if not root.is_dir():
        return []
    try:
        return sorted(
            path.name
            for path in root.iterdir()
            if _is_version(path.name) and (path / MANIFEST).is_file()
        )
    except OSError as error:
        raise CheckpointError(
            f"The registry {root} cannot be read: {error.strerror or error}."
        ) from error


def newest(root: Path, besides: str | None = None) -> str | None:
    """The version that was saved last, other than ``besides``; None if there is none."""
    others = [version for version in versions(root) if version != besides]

    def saved(version: str) -> tuple[int, str]:
        return (root / version / MANIFEST).stat().st_mtime_ns, version

    return max(others, key=saved, default=None)


def verify(root: Path, version: str) -> dict[str, Any]:
    """Check every file of a version as loading would; returns its manifest.

    :raises CheckpointError: naming the file and the fault.
    """
    manifest = read_manifest(root, version)
    for name in manifest["files"]:
        _checked(root, version, manifest, name)
    load_policy(root, version)
    load_runs(root, version)
    return manifest


def promote(root: Path, version: str, instead_of: str | None) -> None:
    """Make a version that passes `verify` the champion; `rollback` can restore the former champion.

    :param instead_of: the champion that the caller has seen, None for none. So of two promotions at
        the same time one succeeds, and the other raises.
    :raises PromotionError: another version is champion by now.
    :raises CheckpointError: the version is not whole.
    """
    verify(root, version)
    with _locked(root):
        before = present_champion(root)
        if before == version:
            return
        if before != instead_of:
            raise PromotionError(
                f"{version} was not promoted: the champion is {before} by now, no longer "
                f"{instead_of}. Look at it and ask again."
            )
        # The history is written first. After a crash in between the champion is its own last entry,
        # which `rollback` skips. In the other order the former champion would be forgotten.
        if before is not None:
            _write(root / _HISTORY, "".join(f"{v}\n" for v in [*_lines(root / _HISTORY), before]))
        _write(root / _CHAMPION, f"{version}\n")


def champion_before(root: Path) -> tuple[str, str]:
    """The former champion and the present champion.

    :raises CheckpointError: there is no former champion, or it does not pass `verify`.
    """
    present, history = _former(root)
    verify(root, history[-1])
    return history[-1], present


def rollback(root: Path, instead_of: str | None = None) -> str:
    """Restore the former champion; returns its version.

    :param instead_of: the champion that the caller has seen; None: any.
    :raises PromotionError: another version is champion by now.
    :raises CheckpointError: there is no former champion, or it does not pass `verify`.
    """
    with _locked(root):
        present, history = _former(root)
        if instead_of not in (None, present):
            raise PromotionError(
                f"Nothing was rolled back: the champion is {present} by now, no longer "
                f"{instead_of}. Look at it and ask again."
            )
        version = history.pop()
        verify(root, version)
        _write(root / _CHAMPION, f"{version}\n")
        _write(root / _HISTORY, "".join(f"{v}\n" for v in history))
        return version


def _former(root: Path) -> tuple[str, list[str]]:
    """The champion, and at least one former champion, oldest first."""
    present, history = champion(root), _lines(root / _HISTORY)
    while history and history[-1] == present:
        history.pop()
    if not history:
        raise CheckpointError(f"There is no champion before {present} in {root}.")
    return present, history


def save_version(
    root: Path, version: str, manifest: dict[str, Any], write_files: Callable[[Path], None]
) -> None:
    """Add a version to the registry, whole or not at all.

    :param manifest: everything but ``version`` and ``files``, which are filled in here.
    :param write_files: writes all other files into the empty folder that it is called with.
    :raises CheckpointError: the version exists, or does not pass `verify`.
    """
    folder = _folder(root, version)
    if folder.exists():
        raise CheckpointError(f"The version {version} exists already in {root}.")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(root)
        # No version can have this name, so that a crash leaves nothing that looks like a version.
        stage = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    except OSError as error:
        raise _unsaved(root, version, error) from error
    try:
        new = stage / version
        new.mkdir()
        write_files(new)
        hashes = {path.name: _sha256(path.read_bytes()) for path in sorted(new.iterdir())}
        whole = {"version": version, **manifest, "files": hashes}
        _write(new / MANIFEST, json.dumps(whole, indent=1, allow_nan=False) + "\n")
        for path in new.iterdir():
            sync(path)
        verify(stage, version)
        new.rename(folder)
        sync(root)
    except OSError as error:
        raise _unsaved(root, version, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    """Remove what killed writers have left a day ago or earlier."""
    for path in root.glob(".new-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unsaved(root: Path, version: str, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"The version {version} cannot be saved in {root}: {error.strerror or error}."
    )


def read_manifest(root: Path, version: str) -> dict[str, Any]:
    """The manifest of a version, its names and hashes checked for form.

    :raises CheckpointError: it is missing, unreadable, or of another version or features.
    """
    path = _inside(root, _folder(root, version) / MANIFEST)
    return parse_manifest(_read(path), path, version, weights=WEIGHTS)


def read_file(root: Path, version: str, name: str) -> bytes:
    """A file that the manifest of a version names, its hash checked.

    :raises CheckpointError: it is missing, altered, or not in the manifest.
    """
    manifest = read_manifest(root, version)
    if name not in manifest["files"]:
        raise CheckpointError(f"The manifest of {version} names no file {name!r}.")
    return _checked(root, version, manifest, name)


def _is_version(name: str) -> bool:
    return bool(_VERSION.fullmatch(name)) and name not in (_CHAMPION, _HISTORY)


def _folder(root: Path, version: str) -> Path:
    if not _is_version(version):
        raise CheckpointError(
            f"{version!r} is not the name of a version: it consists of at most 64 lower-case "
            "letters, digits, dots, dashes and underscores, and begins with a letter or digit."
        )
    return _inside(root, root / version)


def _inside(root: Path, path: Path) -> Path:
    """The path, unless a link leads out of the registry."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise CheckpointError(f"{path} leads out of the registry {root}.")
    return path


def _checked(root: Path, version: str, manifest: dict[str, Any], name: str) -> bytes:
    """The bytes of a file, its hash checked against the manifest."""
    path = _inside(root, _folder(root, version) / name)
    content = _read(path)
    if _sha256(content) != manifest["files"][name]:
        raise CheckpointError(f"{path} was altered: its SHA-256 is not the one in {MANIFEST}.")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{path} is larger than {_MAX_BYTES // 2**20} MiB.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return _read(path).decode("utf-8", errors="replace").split()


def _write(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock on changes of the champion; the system frees it when the process ends."""
    try:
        handle = os.open(root, os.O_RDONLY)
    except OSError as error:
        raise CheckpointError(f"The registry {root} cannot be opened.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
