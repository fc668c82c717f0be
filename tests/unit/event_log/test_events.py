"""`event_log.events`: events decoded, or refused where a line is not what its event says."""

from __future__ import annotations

import msgspec
import pytest

from kitwai.event_log.events import ApplicationStart, JobStart


def test_fields_that_are_not_used_are_passed_over():
    line = b'{"Event":"SparkListenerApplicationStart","App Name":"a","Timestamp":7,"User":"me"}'
    start = msgspec.json.decode(line, type=ApplicationStart)
    assert (start.name, start.at, start.id) == ("a", 7, None)


@pytest.mark.parametrize("timestamp", ["-1", "1.5", '"7"', "null", str(2**53 + 1)])
def test_a_moment_that_cannot_be_is_refused(timestamp):
    line = f'{{"App Name":"a","Timestamp":{timestamp}}}'.encode()
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(line, type=ApplicationStart)


def test_a_job_without_its_number_is_refused():
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(b'{"Submission Time":7,"Stage Infos":[]}', type=JobStart)
