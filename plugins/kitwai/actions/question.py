"""A decision as a question to a person, in Markdown: what, why, and what else could be done.

Names of applications come from strangers: nothing of them is read as Markdown or HTML.
"""

from __future__ import annotations

import re

from kitwai.core.records.decision import ApplicationDecision, Decision

_MOST = 8000
_MOST_NAME = 80
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>&~:@=$^])")
_WEB = re.compile(r"\bwww\.", re.IGNORECASE)


def question(decision: Decision) -> tuple[str, str]:
    """Headline and body."""
    subject = f"{decision.cluster}: {decision.present} -> {decision.target} workers"
    parts = [plain(decision.reason, 2000)]
    parts += [_what_if(made, decision) for made in decision.applications]
    body = ""
    for part in parts:
        if len(body) + len(part) > _MOST:
            body += "\n\nMore applications run."
            break
        body += ("\n\n" if body else "") + part
    return _printable(subject, 200), body


def plain(text: str, most: int = _MOST_NAME) -> str:
    """``text`` on one line, so that Markdown shows it as it is; at most ``most`` characters of it.

    Links are not made of addresses either.
    """
    escaped = _SPECIAL.sub(r"\\\1", _printable(text, most))
    return _WEB.sub(lambda found: found.group()[:-1] + "\\.", escaped)


def _printable(text: str, most: int) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _what_if(made: ApplicationDecision, decision: Decision) -> str:
    limit = "; it has no limit" if made.limit_s is None else f" of {made.limit_s:.0f} s"
    head = f"**{plain(made.name)}** ran for {made.elapsed_s:.0f} s{limit}"
    if made.q_values is None:
        return f"{head}; it gets {made.target}."
    rows = ["| workers | predicted end | chance to be late | |", "| --: | --: | --: | :-- |"]
    alone = len(decision.applications) == 1
    for at in range(len(made.q_values)):
        finish = f"{made.predicted_finish_s[at]:.0f} s" if made.predicted_finish_s else "not known"
        late = f"{made.miss_probability[at]:.1%}" if made.miss_probability else "not known"
        notes = [
            *(["present"] if alone and at + 1 == decision.present else []),
            *(["asked for"] if at + 1 == made.target else []),
        ]
        rows.append(f"| {at + 1} | {finish} | {late} | {', '.join(notes)} |")
    return f"{head}.\n\n" + "\n".join(rows)
