"""The committed bundle is what the sources give."""

from __future__ import annotations

from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_committed_bundle_is_that_of_the_sources(built, repository):
    static = Path("plugins") / "kitwai" / "web" / "static"
    made, committed = files(built / static), files(repository / static)
    assert sorted(made) == sorted(committed), "run `make ui` and commit the bundle"
    assert made == committed, "run `make ui` and commit the bundle"


def test_nothing_of_it_comes_from_elsewhere_or_stands_inline(repository):
    index = (repository / "plugins" / "kitwai" / "web" / "static" / "index.html").read_text()
    assert "://" not in index
    assert "<style" not in index
    assert index.count("<script") == index.count("<script type=") == index.count(' src="./assets/')


def test_the_pages_own_tests_pass(built, npm):
    npm(built / "ui", "test")
