"""Why a decision is what it is, from the store alone: its reasons, and the decision made again.

A decision depends on its observation, the settings, the checkpoint named (weights and past runs),
the moment, and the cluster's own file of past runs; of the last the hash is kept, else all.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

from kitwai.core.decide.cluster import NAMES, decide, moment
from kitwai.core.records.decision import ApplicationDecision, Decision
from kitwai.core.records.observation import Observation
from kitwai.errors import CheckpointError, InvalidInputError
from kitwai.registry.champion import Champion
from kitwai.registry.history_file import parse_history, read_history
from kitwai.registry.versions import load_policy, load_runs
from kitwai.store.steps import StoredDecision
from kitwai.store.store import Store


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, what it was made from, and the same made again.

    ``again`` is None where that is not possible, and ``why_not`` says why. ``differs``: the names
    of the fields in which both differ, empty when they are the same to the last bit.
    """

    stored: StoredDecision
    observation: Observation
    again: Decision | None
    why_not: str | None
    differs: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether the decision made again is the stored one to the last bit."""
        return self.again is not None and not self.differs


def explain(
    store: Store, decision_id: int, models: Path, *, history: Path | None = None
) -> Explanation:
    """Make a stored decision again.

    :param models: root of the registry that holds its checkpoint.
    :param history: the cluster's own file of past runs, where its connection names one.
    :raises StoreError: the store does not hold the decision.
    """
    stored = store.decision(decision_id)
    observation = store.observation(stored.observation_id)
    made = stored.decision
    try:
        champion = _champion(made, models)
        own = None
        if made.history is not None:
            own = parse_history(_own_history(made.history, history), history or Path())
    except (CheckpointError, InvalidInputError) as error:
        return Explanation(stored, observation, None, str(error))
    again = decide(
        observation,
        stored.settings,
        champion.policy,
        now=made.decided_at,
        no_policy_reason=champion.why_not,
        history=champion.history(own),
        history_sha256=made.history,
    )
    first, second = (made, again) if made.policy in NAMES else (_unnamed(made), _unnamed(again))
    differs = tuple(
        field.name
        for field in dataclasses.fields(Decision)
        if getattr(first, field.name) != getattr(second, field.name)
    )
    return Explanation(stored, observation, again, None, differs)


def _unnamed(decision: Decision) -> Decision:
    """The decision without the words that name what decided.

    Earlier versions of Kitwai used other names for it ("dqn", "analytic"), in reasons too.
    """
    applications = tuple(
        dataclasses.replace(made, policy=None, reason="") for made in decision.applications
    )
    return dataclasses.replace(
        decision, policy="", reason="", fallback=None, applications=applications
    )


def _champion(made: Decision, models: Path) -> Champion:
    if made.checkpoint is None:
        return Champion(why_not=made.fallback)
    return Champion(load_policy(models, made.checkpoint), load_runs(models, made.checkpoint))


def _own_history(sha256: str, path: Path | None) -> bytes:
    if path is None:
        raise InvalidInputError(
            "The decision used a file of past runs, and the connection names none now."
        )
    content = read_history(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidInputError(f"The file of past runs {path} has changed since the decision.")
    return content


def explanation_text(explanation: Explanation) -> str:
    """The reasons in plain text, and whether the decision made again is the same."""
    stored, made = explanation.stored, explanation.stored.decision
    by = made.policy + (f" (checkpoint {made.checkpoint})" if made.checkpoint else "")
    lines = [
        f"Decision {stored.id} on cluster {made.cluster!r}, {moment(made.at)}, "
        f"mode {made.mode.value}: {made.present} workers present, target {made.target}.",
        made.reason,
        f"By {by}, from observation {stored.observation_id}.",
        *([f"Fallback: {made.fallback}"] if made.fallback else []),
        *(f"{note.name}: {note.before} -> {note.after}. {note.reason}" for note in made.guardrails),
    ]
    for application in made.applications:
        lines += ["", *_application(application)]
    lines.append("")
    if explanation.why_not:
        lines.append(f"It cannot be made again: {explanation.why_not}")
    elif explanation.identical:
        lines.append("Made again from the store, it is the same to the last bit.")
    else:
        lines.append(f"Made again, it differs in: {', '.join(explanation.differs)}.")
    return "\n".join(lines)


def _application(made: ApplicationDecision) -> list[str]:
    lines = [f"{made.name} ({made.id}): {made.reason}"]
    for note in made.guardrails:
        lines.append(f"  {note.name}: {note.before} -> {note.after}. {note.reason}")
    if made.q_values is None:
        return lines
    lines.append("  workers  finish s  miss probability    Q-value")
    for at, q in enumerate(made.q_values):
        finish = made.predicted_finish_s[at] if made.predicted_finish_s else None
        miss = made.miss_probability[at] if made.miss_probability else None
        shown = ("-" if finish is None else f"{finish:.1f}", "-" if miss is None else f"{miss:.4f}")
        mark = "  <- target" if at + 1 == made.target else ""
        lines.append(f"  {at + 1:7d}  {shown[0]:>8}  {shown[1]:>16}  {q:9.4f}{mark}")
    return lines
