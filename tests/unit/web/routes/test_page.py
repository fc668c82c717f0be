"""The page's files: behind the same door, kept by browsers as long as they may."""

from __future__ import annotations

import pytest

from kitwai.web.routes import page

BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(autouse=True)
def static(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Kitwai</title>")
    (tmp_path / "assets" / "index-abc123.js").write_text("let a;" * 1000)
    (tmp_path / "icon.svg").write_text("<svg/>")
    monkeypatch.setattr(page, "STATIC", tmp_path)
    page._files.cache_clear()
    yield tmp_path
    page._files.cache_clear()


def test_the_page_and_its_assets(web):
    client = web.client(None, cookie=web.token("viewer"))
    index = client.get("/kitwai/")
    assert index.text.startswith("<!doctype html>")
    assert index.headers["content-type"].startswith("text/html")
    assert index.headers["cache-control"] == "no-cache"
    asset = client.get("/kitwai/assets/index-abc123.js", headers={"accept-encoding": "gzip"})
    assert "javascript" in asset.headers["content-type"]
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-encoding"] == "gzip"
    assert client.get("/kitwai/icon.svg").headers["content-type"] == "image/svg+xml"


def test_a_browser_is_sent_to_the_login(web):
    for cookie in (None, "forged"):
        answer = web.client(None, cookie=cookie).get("/kitwai/", headers=BROWSER)
        assert answer.status_code == 307
        assert answer.headers["location"].startswith("/auth/login?next=")
        assert "kitwai" in answer.headers["location"]


def test_a_file_needs_a_token_like_everything_else(web):
    for path in ("", "index.html", "assets/index-abc123.js", "icon.svg", "nowhere"):
        assert web.client(None).get(f"/kitwai/{path}").status_code == 401
        assert web.client("nobody").get(f"/kitwai/{path}").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "assets/%2e%2e/%2e%2e/app.py",
        "%2fetc%2fpasswd",
        "assets/none.js",
        "assets/",
        "api/v2/dags",
        "docs.html",
        "a%00.js",
    ],
)
def test_nothing_beside_the_page_is_served(web, path):
    answer = web.client().get(f"/kitwai/{path}")
    assert answer.status_code == 404
    assert "create_app" not in answer.text


def test_without_its_build_the_page_says_so(web, static):
    (static / "index.html").unlink()
    page._files.cache_clear()
    answer = web.client().get("/kitwai/")
    assert answer.status_code == 404
    assert "without its page" in answer.json()["detail"]
