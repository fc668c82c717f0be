"""Experience in files: labelled states as a NumPy archive, with a manifest beside it.

Nothing is unpickled. A shard is used only if it was made with today's features and labels. Its
manifest is written last, and holds the SHA-256 of the archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.policy.policy import PRIOR
from kitwai.core.policy.state import FEATURE_NAMES, GLOBAL_FEATURES, TARGET_FEATURES, TARGETS
from kitwai.errors import InvalidInputError
from kitwai.learning.experience import Labelled
from kitwai.store.files import replace_bytes, replace_text

DEFINITION = {"features": list(FEATURE_NAMES), "prior": PRIOR, "label": "limit missed"}
"""The features and labels of today, as the manifest of a shard states them."""

_MAX_BYTES = 512 * 2**20
_KINDS = ("held", "played")


@dataclass(frozen=True, slots=True)
class Shard:
    """Labelled states of two kinds.

    ``held``: their targets were held to the end; ``played``: their targets were held for some
    steps, then a policy went on; ``about``: the manifest.
    """

    held: Labelled
    played: Labelled
    about: dict[str, Any]

    @property
    def fits(self) -> bool:
        """Whether the shard was made with today's features and labels."""
        return all(self.about.get(name) == value for name, value in DEFINITION.items())


def nothing() -> Labelled:
    """No states."""
    shapes = ((len(GLOBAL_FEATURES),), (TARGETS, len(TARGET_FEATURES)), *[(TARGETS,)] * 4)
    kinds = (np.float32, np.float32, np.bool_, np.float32, np.float32, np.float32)
    pairs = zip(shapes, kinds, strict=True)
    return Labelled(*(np.zeros((0, *shape), dtype=kind) for shape, kind in pairs))


def write_shard(path: Path, held: Labelled, played: Labelled, about: dict[str, Any]) -> str:
    """Write a shard, each file whole or not at all; returns the SHA-256 of the archive.

    :param about: profiles, constraints, policy and seed of the states.
    """
    arrays: dict[str, Any] = {
        f"{kind}_{name}": getattr(part, name)
        for kind, part in zip(_KINDS, (held, played), strict=True)
        for name in Labelled.__slots__
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    counts = {"held": len(held), "played": len(played)}
    manifest = {**about, "states": counts, **DEFINITION, "sha256": sha256}
    replace_bytes(path, content)
    replace_text(path.with_suffix(".json"), json.dumps(manifest, indent=1) + "\n")
    return sha256


def read_shard(path: Path) -> Shard:
    """Read a shard that `write_shard` has written.

    :raises InvalidInputError: the shard is missing, altered, or holds something else.
    """
    try:
        about = json.loads(path.with_suffix(".json").read_text())
        if path.stat().st_size > _MAX_BYTES:
            raise InvalidInputError(f"The shard {path} is larger than {_MAX_BYTES // 2**20} MiB.")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise InvalidInputError(f"The shard {path} is not the one of its manifest.")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            held, played = (
                Labelled(*(arrays[f"{kind}_{name}"] for name in Labelled.__slots__))
                for kind in _KINDS
            )
    except OSError as error:
        raise InvalidInputError(
            f"The shard {path} cannot be read ({error.strerror or error}): collect it again."
        ) from error
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInputError(f"{path} is no shard of experience.") from error
    return Shard(held, played, dict(about))
