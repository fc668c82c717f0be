"""The page's types are generated from what the API says of itself."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "openapi.py"))
describe, document_text = SCRIPT["describe"], SCRIPT["document_text"]


def test_the_committed_document_is_that_of_the_api(web, repository):
    committed = (repository / "ui" / "openapi.json").read_text(encoding="utf-8")
    assert committed == document_text(web.kitwai), "run `make ui` and commit ui/openapi.json"


def test_every_field_of_an_answer_is_required_and_no_default_of_a_request(web):
    schemas = describe(web.kitwai)["components"]["schemas"]
    assert "fallback" in schemas["Decision"]["required"]
    assert schemas["ClusterView"]["required"] == list(schemas["ClusterView"]["properties"])
    assert schemas["ReplayRequest"]["required"] == ["since", "until"]
    assert "drained" not in schemas["Scaling"]["required"]


def test_no_answer_is_without_a_type(web):
    for path, methods in describe(web.kitwai)["paths"].items():
        for method, route in methods.items():
            (content,) = route["responses"]["200"]["content"].items()
            if content[0] == "application/json":
                assert content[1]["schema"], (method, path)


def test_prose_is_no_part_of_the_document(web):
    text = json.dumps(describe(web.kitwai)["components"])
    assert "description" not in text
    # The served document keeps it.
    assert "description" in json.dumps(web.kitwai.openapi()["components"])
