"""Controls: the settings that a person overrides on a cluster, besides its connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kitwai.core.records.constraint import Constraint, parse_duration
from kitwai.core.records.settings import ClusterSettings, Mode, Pause, Pin
from kitwai.errors import InvalidInputError

NAMES = ("mode", "pause", "pin", "max_workers", "limit")
"""``mode``: a `Mode`; ``pause``: "on"; ``pin``: a target; ``max_workers``: N; ``limit``: T as a
Spark time string. Pause and pin need an end.
"""

LATEST = 1e11
"""Latest end of a control in epoch seconds, in the year 5138. A later number is in milliseconds,
and is no moment that can be written as a date."""


@dataclass(frozen=True, slots=True)
class Control:
    """One setting that a person has overridden on a cluster.

    ``name``: one of `NAMES`; ``value``: the new value, None to lift the control; ``at``, ``until``:
    begin and end in epoch seconds, ``until`` None for no end; ``by``: the person.
    """

    name: str
    value: str | int | None
    at: float
    by: str
    until: float | None = None

    def in_force(self, now: float) -> bool:
        """Whether the control counts at the moment ``now`` (epoch seconds)."""
        return self.value is not None and (self.until is None or now < self.until)

    @property
    def ends(self) -> float | None:
        """``until``, or None if it is no moment (`LATEST`)."""
        return self.until if self.until is not None and self.until <= LATEST else None


def check_control(control: Control, settings: ClusterSettings) -> None:
    """Check that ``control`` can be used on the cluster of ``settings``.

    :raises InvalidInputError: it cannot. The message says what can be set.
    """
    _check_kind(control)
    if control.value is None:
        return
    if control.until is not None and control.until <= control.at:
        raise InvalidInputError(f"The end of {control.name} lies in the past.")
    if control.name in ("pause", "pin") and control.until is None:
        raise InvalidInputError(f"A {control.name} needs an end: say until when.")
    override(settings, [control], control.at)


def override(settings: ClusterSettings, controls: Iterable[Control], now: float) -> ClusterSettings:
    """The settings with every control that is in force at ``now``.

    :param controls: the newest control of each name.
    :raises InvalidInputError: a value cannot be used on this cluster.
    """
    for control in controls:
        if control.in_force(now):
            settings = _with(settings, control)
    return settings


def override_usable(
    settings: ClusterSettings, controls: Iterable[Control], now: float
) -> ClusterSettings:
    """As `override`, but without controls that cannot be used.

    A control may have become unusable when the connection changed. It is named in ``ignored``.
    """
    for control in controls:
        try:
            settings = override(settings, [control], now)
        except InvalidInputError as error:
            note = f"The {control.name} that {control.by} set is left out: {error}"
            settings = replace(settings, ignored=(*settings.ignored, note))
    return settings


def _check_kind(control: Control) -> None:
    if control.name not in NAMES:
        raise InvalidInputError(
            f"{control.name!r} cannot be set on a cluster: set one of {', '.join(NAMES)}."
        )
    if control.until is not None and control.ends is None:
        raise InvalidInputError(
            f"The end of {control.name} must be given in epoch seconds, at most {LATEST:.0f}: "
            f"{control.until:.0f} looks like milliseconds."
        )


def _with(settings: ClusterSettings, control: Control) -> ClusterSettings:
    _check_kind(control)
    value, constraint = control.value, settings.constraint
    if control.name == "mode":
        try:
            mode = Mode(str(value))
        except ValueError:
            modes = ", ".join(mode.value for mode in Mode)
            raise InvalidInputError(f"mode must be one of {modes}, not {value!r}.") from None
        if mode is not Mode.SUGGEST and not settings.managed:
            raise InvalidInputError(
                f"mode {mode.value} needs a pool that starts and stops workers, and cluster "
                f"{settings.cluster!r} has none."
            )
        return replace(settings, mode=mode)
    if control.name == "pause":
        return replace(settings, pause=Pause(control.until or 0.0, control.by))
    if control.name == "limit":
        limit_s = parse_duration(str(value))
        return replace(
            settings, constraint=Constraint(constraint.max_workers, limit_s, constraint.miss)
        )
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(f"{control.name} must be a count of workers, not {value!r}.")
    if control.name == "pin":
        return replace(settings, pin=Pin(value, control.until or 0.0, control.by))
    return replace(
        settings,
        constraint=Constraint(value, constraint.limit_s, constraint.miss),
        min_workers=min(settings.min_workers, value),
    )
