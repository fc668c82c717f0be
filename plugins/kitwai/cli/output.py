"""Checks and writes the commands' result files. Unwritable places are found before the work."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kitwai.errors import InvalidInputError


def result_file(text: str) -> Path:
    """A file for results, as the ``type`` of an option. An unwritable file is wrong usage.

    :raises ArgumentTypeError: it cannot be written.
    """
    path = Path(text)
    try:
        check_writable(path)
    except InvalidInputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def check_writable(path: Path) -> None:
    """Check before long work that the file can be written.

    :raises InvalidInputError: it cannot.
    """
    folder = path.absolute().parent
    try:
        # A device is no place for results, since they replace the file at the path.
        if not folder.is_dir() or (path.exists() and not path.is_file()):
            raise InvalidInputError(f"{path} cannot be written: name a file in an existing folder.")
        _try_to_write(folder)
    except OSError as error:
        raise _unwritable(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder for results before long work, if it is missing.

    :raises InvalidInputError: it cannot be made, or nothing can be written in it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        _try_to_write(path)
    except OSError as error:
        raise InvalidInputError(
            f"The folder {path} cannot be made or written: {error.strerror or error}."
        ) from error


def write_json(path: Path, data: Mapping[str, object], *, indent: int | None = 2) -> None:
    """Write results at once, so that a reader never finds half of them.

    :raises InvalidInputError: they cannot be written.
    """
    write_text(path, json.dumps(data, indent=indent, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text as `write_json` does.

    :raises InvalidInputError: it cannot be written.
    """
    from kitwai.store.files import replace_text

    try:
        replace_text(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def _try_to_write(folder: Path) -> None:
    """:raises OSError: no file can be made in the folder, as on a read-only disk."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def _unwritable(path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"{path} cannot be written: {error.strerror or error}.")
