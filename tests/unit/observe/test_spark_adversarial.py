"""Whatever a master or a driver answers, it is understood or refused in one sentence."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from kitwai.errors import SourceError
from kitwai.observe.http import Answer
from kitwai.observe.spark_conf import parse_properties
from kitwai.observe.spark_driver import (
    cpu_seconds,
    elapsed_seconds,
    idle_seconds,
    is_stream,
    parse_attempt,
    parse_executors,
    parse_jobs,
    parse_stages,
    submitted_stages,
)
from kitwai.observe.spark_master import parse_applications, parse_driver_urls, parse_workers
from spark_answers import RECORDED, changed, recorded

ABOUT = parse_attempt(recorded("application.json"))
JOBS = parse_jobs(recorded("jobs.json"))
STAGES = parse_stages(recorded("stages.json"))


def described(stages, jobs):
    submitted_stages(stages, jobs, 1.8e9)
    is_stream(jobs)
    idle_s = idle_seconds(ABOUT, jobs, 100.0)
    assert idle_s is None or 0.0 <= idle_s <= 100.0
    return cpu_seconds(stages)


PARSERS = [
    parse_workers,
    parse_applications,
    parse_executors,
    parse_properties,
    parse_attempt,
    lambda a: described(parse_stages(a), JOBS),
    lambda a: described(STAGES, parse_jobs(a)),
    lambda a: elapsed_seconds(parse_attempt(a), 1.8e9),
    lambda a: parse_driver_urls(a, "http://master:8080/"),
]
NAMES = sorted(path.name for path in RECORDED.iterdir())

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def only_source_errors(body: bytes) -> None:
    for parse in PARSERS:
        try:
            result = parse(Answer("http://host/", body))
        except SourceError:
            continue
        assert not isinstance(result, float) or math.isfinite(result)
        if parse is parse_properties:
            assert all(map(math.isfinite, result.inputs.values()))


@given(st.binary(max_size=200))
def test_any_bytes(body):
    only_source_errors(body)


@given(junk)
def test_any_json(value):
    only_source_errors(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(NAMES), st.data())
def test_recorded_answers_cut_and_overwritten(name, data):
    body = bytearray((RECORDED / name).read_bytes())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    only_source_errors(bytes(body[: data.draw(st.integers(at, len(body)))]))


NUMBERS = {
    "numTasks": "tasks",
    "numActiveTasks": "active",
    "numFailedTasks": "failed",
    "inputBytes": "input_bytes",
    "shuffleReadBytes": "shuffle_read_bytes",
    "shuffleWriteBytes": "shuffle_write_bytes",
}


@given(st.sampled_from(sorted(NUMBERS)), junk | st.just(...))
def test_never_a_wrong_zero(field, value):
    """Whatever stands in a number's place is that number, or the answer is refused."""
    try:
        stages = submitted_stages(parse_stages(changed("stages.json", **{field: value})), JOBS)
    except SourceError:
        return
    assert type(value) is int
    assert getattr(next(stage for stage in stages if stage.id == 8), NUMBERS[field]) == value
