"""Answers recorded from Spark 4.3, and what tests make of them."""

from __future__ import annotations

import json

from kitwai.observe.http import Answer
from places import DATA

RECORDED = DATA / "spark_rest"


def recorded(name: str) -> Answer:
    return Answer(f"http://host/{name}", (RECORDED / name).read_bytes())


def answer(value: object) -> Answer:
    return Answer("http://host/made", json.dumps(value).encode())


def changed(name: str, **fields: object) -> Answer:
    """The recorded list or object with ``fields`` of its (first) object set; ... removes one."""
    value = json.loads((RECORDED / name).read_bytes())
    target = value[0] if isinstance(value, list) else value
    for key, new in fields.items():
        if new is ...:
            del target[key]
        else:
            target[key] = new
    return answer(value)
