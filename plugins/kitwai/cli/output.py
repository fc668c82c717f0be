"""Result files of the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kitwai.errors import InvalidInputError


def check_writable(path: Path) -> None:
    """Before long work: whether a file can be written there.

    :raises InvalidInputError: it cannot.
    """
    if not path.absolute().parent.is_dir() or path.is_dir():
        raise InvalidInputError(f"{path} cannot be written: name a file in an existing folder.")


def write_json(path: Path, data: dict[str, Any], *, indent: int | None = 2) -> None:
    """Write results so that a reader never finds half of them.

    :raises InvalidInputError: they cannot be written.
    """
    from kitwai.store.files import replace_text

    try:
        replace_text(path, json.dumps(data, indent=indent, allow_nan=False) + "\n")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror or error}.") from error
