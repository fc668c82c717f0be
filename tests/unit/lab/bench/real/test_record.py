from __future__ import annotations

import os
from dataclasses import replace

import pytest

from kitwai_lab.bench.real.record import RunRecord, read_record, read_records, write_record
from kitwai_lab.demo.measure import Application

PLANNED = RunRecord("skew", "constant-2", ("shapes.py", "skew"), 60.0, 4, 5.0, constant=2)


def ended(planned: RunRecord = PLANNED) -> RunRecord:
    return planned.ended(
        Application(100.0, 150.0, failed_tasks=3),
        ((90.0, None), (120.0, 130.0)),
        scale_outs=[120.0],
        scale_ins=[],
        step_errors=["No answer."],
        measured_on={"cores": 2, "load_average": [1.0, 1.0, 1.0]},
    )


def test_a_record_is_read_as_it_was_written(tmp_path):
    write_record(tmp_path, ended())
    assert read_record(tmp_path) == ended()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"lifetimes": 3}'])
def test_what_is_no_record_is_none(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "missing") is None


def test_figures_of_a_run_are_those_of_the_demo():
    run = ended().run
    assert (run.finish_s, run.hit, run.worker_seconds) == (50.0, True, 60.0)
    assert run.application.failed_tasks == 3
    assert run.during(run.scale_outs) == 1


def test_failed_run_has_no_figures():
    assert PLANNED.failed("It broke.").run is None
    assert ended().failed("It broke.").run is None


def test_record_is_of_the_plan_that_it_was_made_for_alone():
    assert ended().is_of(PLANNED)
    assert not PLANNED.is_of(PLANNED)
    assert not ended().failed("It broke.").is_of(PLANNED)
    for changed in ({"limit_s": 61.0}, {"arguments": ("shapes.py",)}, {"max_workers": 6}):
        assert not ended().is_of(replace(PLANNED, **changed))


def test_records_are_those_of_the_newest_arguments_and_limit(tmp_path):
    names = ("constant-1", "constant-2", "known")
    for number, (name, limit_s) in enumerate(zip(names, (60.0, 30.0, 60.0), strict=True)):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, replace(PLANNED, name=name, limit_s=limit_s))
        os.utime(tmp_path / name / "run.json", (number, number))
    assert [record.name for record in read_records(tmp_path)] == ["constant-1", "known"]
    assert read_records(tmp_path / "missing") == []
