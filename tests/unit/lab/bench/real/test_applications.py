from __future__ import annotations

import pytest

from kitwai.errors import InvalidInputError
from kitwai_lab.bench.real.applications import SERVICE, own, shapes
from kitwai_lab.bench.real.shapes import SHAPES


@pytest.mark.parametrize("quick", [False, True])
def test_every_shape_has_a_size_and_a_limit(quick):
    made = shapes(quick=quick)
    assert [application.name for application in made] == list(SHAPES)
    assert len(made) >= 8
    for application in made:
        assert application.arguments[:3] == (application.name, "--size", str(application.size))
        assert application.limit_s > 0


def test_a_quick_application_is_smaller():
    for usual, quick in zip(shapes(), shapes(quick=True), strict=True):
        assert (quick.size, quick.limit_s) < (usual.size, usual.limit_s)


def test_only_the_named_shapes_are_made():
    assert [application.name for application in shapes(["skew", "cached"])] == ["skew", "cached"]
    (application,) = shapes(["shared-service"])
    assert application.arguments[-2:] == ("--service", SERVICE)


def test_unknown_name_is_refused_with_the_names_that_there_are():
    with pytest.raises(InvalidInputError, match=r"'skewed'.*skew"):
        shapes(["skewed"])


def test_own_application_is_named_after_its_script(tmp_path):
    script = tmp_path / "my_job.py"
    script.touch()
    application = own(script, ["--days", "3"], 240.0)
    assert (application.name, application.arguments) == ("my_job", ("--days", "3"))
    assert (application.script, application.limit_s, application.size) == (script, 240.0, None)


def test_missing_script_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match=r"no application .*job\.py"):
        own(tmp_path / "job.py", [], 240.0)
