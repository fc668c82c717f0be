"""Write ui/openapi.json, the API's description; `make ui` generates the page's types of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

TARGET = Path(__file__).resolve().parents[1] / "ui" / "openapi.json"

_VERSION = "v1"
"""Of the API, in place of Kitwai's own: a release alone changes none of the page's types."""

_PARTIAL = frozenset({"Scaling"})
"""Answers that leave fields out."""

_WORDS = ("title", "summary", "description")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of ``app`` without its prose; its answers require all their fields.

    FastAPI takes a field with a default for one that may be missing. That is true of a request.
    An answer always holds it.
    """
    document: dict[str, Any] = _without_words(app.openapi())
    document["info"] = {"title": app.title, "version": _VERSION}
    schemas = document["components"]["schemas"]
    requests = {
        name
        for methods in document["paths"].values()
        for route in methods.values()
        for name in _named(route.get("requestBody"))
    }
    for name in schemas.keys() - requests - _PARTIAL:
        if "properties" in schemas[name]:
            schemas[name]["required"] = list(schemas[name]["properties"])
    return document


def document_text(app: FastAPI) -> str:
    """The document as ``ui/openapi.json`` holds it."""
    return json.dumps(describe(app), indent=1, ensure_ascii=False) + "\n"


def _without_words(part: Any) -> Any:
    """A copy without prose: a better docstring must not look like another type."""
    if isinstance(part, dict):
        return {
            key: _without_words(value)
            for key, value in part.items()
            # A field of this name has a schema, not a text.
            if not (key in _WORDS and isinstance(value, str))
        }
    return [_without_words(value) for value in part] if isinstance(part, list) else part


def _named(part: Any) -> Iterator[str]:
    """Names of the schemas that a part of the document refers to."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


def main() -> None:
    """Build the application outside Airflow, under a home of its own, and write its document."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        from kitwai.web.app import create_app

        TARGET.write_text(document_text(create_app()), encoding="utf-8")


if __name__ == "__main__":
    main()
