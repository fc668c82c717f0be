"""Writes and reads the original system's table: ``id, execu, memT, memA, cpuU, cpuS, netI, netO``.

Units: seconds since the application's start, bytes (m_t, m_a), percent of CPU, bytes a second of
network. There is a row for each application in each observation; ``id`` numbers the rows from 1. An
unknown value is an empty field. The original had no missing values, but a zero would be a
measurement.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from kitwai.core.records.observation import Application, DriverLog, HostMetrics, Observation
from kitwai.errors import InvalidInputError

COLUMNS = ("id", "execu", "memT", "memA", "cpuU", "cpuS", "netI", "netO")
MAX_BYTES = 256 * 2**20
_MAX_FIELD = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table in the table's units; None is an empty field."""

    execu: float
    memT: float | None
    memA: float | None
    cpuU: float | None
    cpuS: float | None
    netI: float | None
    netO: float | None


def rows(observations: Iterable[Observation]) -> Iterator[Row]:
    """The table of ``observations``, oldest first."""
    for seen in observations:
        host = seen.host or HostMetrics()
        for application in seen.applications or ():
            log = application.log
            yield Row(
                execu=application.elapsed_s,
                memT=None if log is None else log.transformation_bytes,
                memA=None if log is None else log.action_bytes,
                cpuU=None if host.cpu_user is None else 100.0 * host.cpu_user,
                cpuS=None if host.cpu_system is None else 100.0 * host.cpu_system,
                netI=host.net_in,
                netO=host.net_out,
            )


def to_csv(table: Iterable[Row]) -> str:
    """The table as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(table, start=1):
        values = (getattr(row, column.name) for column in fields(Row))
        writer.writerow([number, *("" if value is None else _shown(value) for value in values)])
    return out.getvalue()


def from_csv(text: str, name: str) -> list[Row]:
    """The rows of a table.

    :param name: name of the table in messages.
    :raises InvalidInputError: it is not such a table. The sentence names the line.
    """
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        header = next(lines, [])
        if tuple(column.strip() for column in header) != COLUMNS:
            raise InvalidInputError(
                f"{name} is refused: its first line must be {','.join(COLUMNS)}."
            )
        return [_row(values, f"{name}, line {lines.line_num}") for values in lines if values]
    except csv.Error as error:
        raise InvalidInputError(f"{name}, line {lines.line_num} is refused: {error}.") from error


def to_observations(
    table: Iterable[Row], *, cluster: str, application: str, start: float
) -> list[Observation]:
    """The table as observations of one application.

    :param start: when the application began, epoch seconds.
    """
    return [_observation(row, cluster, application, start) for row in table]


def _observation(row: Row, cluster: str, application: str, start: float) -> Observation:
    log = DriverLog(
        lines=0,
        unparsed=0,
        features={},
        levels={},
        action_bytes=row.memA,
        transformation_bytes=row.memT,
        complete=False,
        offset=0,
        tail="",
    )
    return Observation(
        cluster=cluster,
        at=start + row.execu,
        applications=(
            Application(
                id=application,
                name=application,
                cores=0,
                elapsed_s=row.execu,
                error="It was imported from a table, which tells of no stages.",
                log=None if row.memA is None and row.memT is None else log,
            ),
        ),
        host=HostMetrics(
            cpu_user=None if row.cpuU is None else row.cpuU / 100.0,
            cpu_system=None if row.cpuS is None else row.cpuS / 100.0,
            net_in=row.netI,
            net_out=row.netO,
        ),
    )


def _row(values: list[str], where: str) -> Row:
    if len(values) != len(COLUMNS):
        raise InvalidInputError(f"{where} is refused: it has {len(values)} fields, not 8.")
    numbers = [_number(text, where) for text in values[1:]]
    execu = numbers[0]
    if execu is None:
        raise InvalidInputError(f"{where} is refused: execu is empty.")
    for column, value in zip(COLUMNS[4:6], numbers[3:5], strict=True):
        if value is not None and value > 100:
            raise InvalidInputError(f"{where} is refused: {column} is more than 100 %.")
    return Row(execu, *numbers[1:])


def _number(text: str, where: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text) if len(text) <= _MAX_FIELD else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InvalidInputError(f"{where} is refused: {text[:40]!r} is no number from 0 up.")
    return value


def _shown(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    return str(int(value)) if value == int(value) else repr(value)
