"""Kitwai's own repository, from which the laboratory takes DAGs, plugins and models."""

from __future__ import annotations

from pathlib import Path

import kitwai
from kitwai.errors import KitwaiError


def repository() -> Path:
    """The folder that holds ``dags/``, ``plugins/`` and ``include/``.

    :raises KitwaiError: Kitwai runs without its repository.
    """
    root = Path(kitwai.__file__).resolve().parents[2]
    if not (root / "dags" / "kitwai_autoscale.py").is_file():
        raise KitwaiError(
            f"This needs Kitwai's repository: {root} holds no dags/kitwai_autoscale.py."
        )
    return root
