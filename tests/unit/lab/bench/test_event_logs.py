from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from kitwai.errors import KitwaiError
from kitwai.event_log.reader import read_event_log
from kitwai_lab.bench.event_logs import shifted
from places import REPOSITORY

RECORDED = REPOSITORY / "tests" / "data" / "event_logs" / "wide-16.gz"
BEGIN = datetime(2026, 1, 5, 1, tzinfo=UTC)


def test_shifted_event_log_is_the_same_run_at_another_moment(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(gzip.decompress(RECORDED.read_bytes()))
    before = read_event_log(source)
    after = read_event_log(shifted(source, tmp_path / "target", BEGIN, "app-1"))
    assert (after.app, after.start_ms / 1000.0) == ("app-1", BEGIN.timestamp())
    assert after.finish_s == before.finish_s
    assert [len(stage.tasks) for stage in after.ran] == [len(stage.tasks) for stage in before.ran]


def test_file_that_is_no_event_log_is_not_shifted(tmp_path):
    source = tmp_path / "source"
    source.write_text("nothing")
    with pytest.raises(KitwaiError, match="no event log"):
        shifted(source, tmp_path / "target", BEGIN, "app-1")
