"""What tests of real parts share in one process, and proof that they leave nothing running."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from class_archive import VARIABLE, quick_java
from kitwai_lab.local.postgres import Postgres, PostgresError
from left_over import processes_in

_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_in_the_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No process that has its files among those of the tests outlives them."""
    folder = tmp_path_factory.getbasetemp()
    yield
    until = time.monotonic() + 15
    while (left := processes_in(folder)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left


@pytest.fixture(scope="session", autouse=True)
def _quick_java(repository: Path) -> Iterator[None]:
    """Every JVM that tests start here starts quickly: their number is what the machine waits for.

    Containers have an archive of their image.
    """
    if VARIABLE in os.environ:
        yield
        return
    with quick_java(repository / "run" / "classes") as options, pytest.MonkeyPatch.context() as env:
        env.setenv(VARIABLE, options)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One Postgres for all tests of this process; skips where none is installed."""
    with ExitStack() as ended:
        try:
            postgres = ended.enter_context(Postgres())
        except PostgresError as error:
            pytest.skip(str(error))
        yield postgres


@pytest.fixture(scope="session")
def new_database(postgres: Postgres) -> Callable[[str], str]:
    """Makes an empty database, whose URL it returns. Two of one name are two databases."""
    return lambda name: postgres.database(f"{name}_{next(_numbers)}")
