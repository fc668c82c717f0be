"""`observe.spark_conf` on what applications say of themselves."""

from __future__ import annotations

import pytest

from kitwai.observe.spark_conf import Properties, parse_properties
from spark_answers import answer, recorded


def test_limits_of_a_real_application():
    assert parse_properties(recorded("environment.json")) == Properties(180.0, 4)


@pytest.mark.parametrize(("value", "uses"), [("true", True), (" TRUE ", True), ("false", False)])
def test_whether_a_shuffle_service_has_an_applications_files(value, uses):
    properties = answer({"sparkProperties": [["spark.shuffle.service.enabled", value]]})
    assert parse_properties(properties).shuffle_service is uses


@pytest.mark.parametrize(
    ("properties", "cores"),
    [
        ({}, None),
        ({"cores.max": "8"}, 8),
        ({"cores.max": "many"}, None),
        ({"dynamicAllocation.maxExecutors": "3", "executor.cores": "2"}, None),
        ({"dynamicAllocation.enabled": "true", "executor.cores": "2"}, None),
        (
            {
                "dynamicAllocation.enabled": "true",
                "dynamicAllocation.maxExecutors": "3",
                "executor.cores": "2",
            },
            6,
        ),
        (
            {
                "cores.max": "4",
                "dynamicAllocation.enabled": "true",
                "dynamicAllocation.maxExecutors": "3",
                "executor.cores": "2",
            },
            4,
        ),
    ],
)
def test_the_most_cores_that_an_application_takes(properties, cores):
    pairs = [[f"spark.{key}", value] for key, value in properties.items()]
    assert parse_properties(answer({"sparkProperties": pairs})).max_cores == cores


@pytest.mark.parametrize(
    ("properties", "limit_s", "max_workers", "faults"),
    [
        ([], None, None, 0),
        ([["spark.kitwai.timeLimit", "90"]], 90.0, None, 0),
        ([["spark.kitwai.maxWorkers", " 7 "]], None, 7, 0),
        ([["spark.kitwai.timeLimit", "soon"], ["spark.kitwai.maxWorkers", "3"]], None, 3, 1),
        ([["spark.kitwai.timeLimit", "0s"], ["spark.kitwai.maxWorkers", "0"]], None, None, 2),
        ([["spark.kitwai.timeLimit", "-5min"]], None, None, 1),
        ([["spark.kitwai.timeLimit", " " * 1_000_000]], None, None, 1),
        ([["spark.kitwai.maxWorkers", "9" * 10_000]], None, None, 1),
        ([["spark.kitwai.maxWorkers", "2.5"]], None, None, 1),
    ],
)
def test_limits(properties, limit_s, max_workers, faults):
    limits = parse_properties(answer({"sparkProperties": properties}))
    assert (limits.limit_s, limits.max_workers, len(limits.faults)) == (
        limit_s,
        max_workers,
        faults,
    )
    assert all("spark.kitwai." in fault and len(fault) < 400 for fault in limits.faults)


@pytest.mark.parametrize(
    ("properties", "inputs"),
    [
        ([], {}),
        ([["spark.kitwai.inputs.size", "12.5"], ["spark.app.name", "3"]], {"size": 12.5}),
        (
            [["spark.kitwai.inputs.a.b", " 1e3 "], ["spark.kitwai.inputs.c", "-0.5"]],
            {"a.b": 1000.0, "c": -0.5},
        ),
        (
            [
                [f"spark.kitwai.inputs.{n}", v]
                for n, v in enumerate(["", "x", "nan", "inf", "1e999"])
            ],
            {},
        ),
    ],
)
def test_inputs_that_an_application_announces(properties, inputs):
    assert parse_properties(answer({"sparkProperties": properties})).inputs == inputs


@pytest.mark.parametrize(
    ("properties", "endless", "limit_s", "faults"),
    [
        ({}, False, None, 0),
        ({"spark.kitwai.timeLimit": " None "}, True, None, 0),
        ({"spark.app.name": "PySparkShell"}, True, None, 0),
        ({"spark.repl.class.uri": "spark://h:1/classes"}, True, None, 0),
        ({"spark.app.name": "PySparkShell", "spark.kitwai.timeLimit": "1h"}, False, 3600.0, 0),
        ({"spark.app.name": "Spark shell", "spark.kitwai.timeLimit": "never"}, False, None, 1),
    ],
)
def test_applications_without_an_end(properties, endless, limit_s, faults):
    found = parse_properties(answer({"sparkProperties": list(map(list, properties.items()))}))
    assert (found.endless, found.limit_s, len(found.faults)) == (endless, limit_s, faults)
