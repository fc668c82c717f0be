"""What a scaling did to a cluster's workers: while it is under way, and in the end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScalingOutcome:
    """What one call of `kitwai.pools.reach.reach` did, by worker name, and what it left.

    ``drained``: told to leave. ``stopped``: ended, with the workers that drained before this call.
    ``settled``: the target is reached and nothing is under way. Otherwise ``waiting`` says what is
    under way, and ``failed`` what went wrong, in plain sentences.
    """

    target: int
    started: tuple[str, ...]
    drained: tuple[str, ...]
    stopped: tuple[str, ...]
    settled: bool
    waiting: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float


@dataclass
class ScalingProgress:
    """What a scaling has done so far. The names of workers are keys, in the order of events.

    A worker may be told to leave twice and counts once, so the names are no lists.
    """

    started: dict[str, None] = field(default_factory=dict)
    drained: dict[str, None] = field(default_factory=dict)
    stopped: dict[str, None] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def outcome(
        self, target: int, *, settled: bool, waiting: tuple[str, ...], seconds: float
    ) -> ScalingOutcome:
        """The outcome of a scaling to ``target`` workers that did this and took ``seconds``."""
        return ScalingOutcome(
            target=target,
            started=tuple(self.started),
            drained=tuple(self.drained),
            stopped=tuple(self.stopped),
            settled=settled,
            waiting=waiting,
            failed=tuple(self.failed),
            seconds=seconds,
        )
