"""The page's types say what the API answers, name by name."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass

import pytest

from kitwai.core.decide.comparison import Comparison, Seen
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ApplicationDecision, Decision, GuardrailNote
from kitwai.web import schemas

ANSWERS = {
    name: set(kind.model_fields)
    for name, kind in vars(schemas).items()
    if isinstance(kind, type) and issubclass(kind, schemas.Answer) and kind is not schemas.Answer
}
RECORDS = {
    kind.__name__: {field.name for field in fields(kind)}
    for kind in (Decision, ApplicationDecision, GuardrailNote, Constraint, Comparison, Seen)
    if is_dataclass(kind)
}


def interfaces(source: str) -> dict[str, set[str]]:
    """Interface name -> names of its fields, inherited ones included."""
    found: dict[str, set[str]] = {}
    pattern = r"export interface (\w+)(?:<\w+>)?(?: extends (\w+))? \{\n(.*?)\n\}"
    for name, base, body in re.findall(pattern, source, re.DOTALL):
        found[name] = found.get(base, set()) | set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
    return found


@pytest.mark.parametrize(("name", "names"), sorted((ANSWERS | RECORDS).items()))
def test_an_interface_has_the_fields_of_its_schema(repository, name, names):
    types = interfaces((repository / "ui" / "src" / "api" / "types.ts").read_text())
    assert types[name] == names
