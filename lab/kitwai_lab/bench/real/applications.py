"""The applications that are judged: nine of the laboratory, at two sizes, or a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kitwai.errors import InvalidInputError
from kitwai_lab.bench.real.shapes import SCRIPT, SHAPES

SERVICE = "{service}"
"""Stands for the address of the shared service in the arguments of an application."""

_SMALL_CACHE = {"spark.memory.fraction": "0.2"}


@dataclass(frozen=True, slots=True)
class JudgedApplication:
    """One application to judge.

    ``limit_s``: its limit; ``size``: what it announces as ``spark.kitwai.inputs.size``, None for
    nothing; ``conf``: further Spark properties.
    """

    name: str
    script: Path
    arguments: tuple[str, ...]
    limit_s: float
    size: int | None = None
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Size and limit of a shape: for N = 6, and in a quick run for N = 4.

    The limit is one that the best count meets, which lies between 1 and N.
    """

    size: int
    limit_s: float
    quick_size: int
    quick_limit_s: float


_SIZES = {
    "wide-then-narrow": _Sizes(160, 165.0, 32, 60.0),
    "short-stages": _Sizes(70, 125.0, 14, 45.0),
    "three-jobs": _Sizes(70, 145.0, 14, 65.0),
    "cached": _Sizes(14, 100.0, 5, 60.0),
    "skew": _Sizes(240, 145.0, 48, 70.0),
    "shared-service": _Sizes(160, 150.0, 36, 50.0),
    "driver-waits": _Sizes(36, 140.0, 6, 85.0),
    "sql-adaptive": _Sizes(100, 130.0, 20, 55.0),
    "widening": _Sizes(4, 125.0, 3, 95.0),
}

_CONF = {"cached": _SMALL_CACHE}


def shapes(names: Sequence[str] = (), *, quick: bool = False) -> tuple[JudgedApplication, ...]:
    """The applications of the laboratory.

    :param names: only these; empty: all.
    :param quick: at the small size.
    :raises InvalidInputError: there is no application of such a name.
    """
    unknown = [name for name in names if name not in SHAPES]
    if unknown:
        raise InvalidInputError(
            f"There is no application {unknown[0]!r}: name some of {', '.join(SHAPES)}."
        )
    return tuple(_shape(name, quick) for name in names or SHAPES)


def own(script: Path, arguments: Sequence[str], limit_s: float) -> JudgedApplication:
    """A user's own application.

    :raises InvalidInputError: there is no such script.
    """
    if not script.is_file():
        raise InvalidInputError(f"There is no application {script}.")
    return JudgedApplication(script.stem, script.resolve(), tuple(arguments), limit_s)


def _shape(name: str, quick: bool) -> JudgedApplication:
    sizes = _SIZES[name]
    size = sizes.quick_size if quick else sizes.size
    arguments = [name, "--size", str(size)]
    if name == "shared-service":
        arguments += ["--service", SERVICE]
    return JudgedApplication(
        name,
        SCRIPT,
        tuple(arguments),
        sizes.quick_limit_s if quick else sizes.limit_s,
        size,
        _CONF.get(name, {}),
    )
