"""A decision as a question to a person."""

from __future__ import annotations

from dataclasses import replace

from builders import application, observation, settings, stage
from kitwai.actions.question import plain, question
from kitwai.core.decide.cluster import decide
from kitwai.core.records.settings import Mode

SETTINGS = settings(mode=Mode.APPROVE)


HOSTILE = 'a|b](http://evil.io) <img src=x onerror="alert(1)">`code` **x** www.evil.io\n# h'


def test_names_of_applications_are_shown_as_they_are():
    shown = plain(HOSTILE)
    for raw in ("|", "](", "<img", "`", "**", "http:", "www.", "# h", "\n"):
        assert not _unescaped(shown, raw), raw
    assert len(plain("x" * 500)) == 80


def _unescaped(text, part):
    at = text.find(part)
    return at >= 0 and (at == 0 or text[at - 1] != "\\")


def test_the_question_says_what_why_and_what_else():
    seen = observation(
        2, application(stage(tasks=400, complete=40), limit_s=200.0, name=f"sort {HOSTILE}")
    )
    made = decide(seen, SETTINGS)
    subject, body = question(made)
    assert subject == f"test: 2 -> {made.target} workers"
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 10
    assert rows[3].endswith("| present |")
    assert rows[1 + made.target].endswith("| asked for |")
    assert "<img" not in body.replace("\\<", "")
    assert "\n#" not in body


def test_a_question_names_no_limit_of_a_stream():
    stream = replace(application(stage(tasks=60, complete=4), name="stream"), endless=True)
    batch = application(stage(tasks=60, complete=4), name="batch", limit_s=200.0)
    _, body = question(decide(observation(2, stream, batch), SETTINGS))
    assert "**stream** ran for 30 s; it has no limit; it gets" in body
    assert "**batch** ran for 30 s of 200 s" in body


def test_a_question_about_many_applications_stays_short():
    many = [application(stage(tasks=40, complete=4), name=f"job {n}") for n in range(200)]
    _, body = question(decide(observation(4, *many), SETTINGS))
    assert len(body) < 9000
    assert body.endswith("More applications run.")
