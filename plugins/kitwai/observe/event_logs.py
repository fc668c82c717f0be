"""A folder of Spark event logs, read into application profiles one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kitwai.sim.profile import ApplicationProfile


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What became of one event log: either ``profile`` or ``reason`` is None.

    ``source``: its path or URL; ``fingerprint``: changes when its files do (names, sizes, times of
    change); ``started_at``, ``ended_at``: of the application, epoch seconds; ``succeeded``: whether
    its last job did (if not, the profile may hold only a part of its work); ``reason``: one line.
    """

    source: str
    fingerprint: str
    profile: ApplicationProfile | None = None
    started_at: float | None = None
    ended_at: float | None = None
    succeeded: bool | None = None
    reason: str | None = None


def read_logs(folder: Any, known: Mapping[str, str] = {}) -> Iterator[ReadLog]:  # noqa: B006
    """Read the event logs of a folder and of its subfolders whose fingerprint is not ``known``.

    :param folder: a `pathlib.Path`, an Airflow `ObjectStoragePath` or alike.
    :param known: fingerprints by source, as an earlier call gave them; those logs are left out.
    :raises InvalidInputError: the folder itself cannot be listed.
    """
    raise NotImplementedError
