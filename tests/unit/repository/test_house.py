"""The plan of the house: what a newcomer may rely on when looking for a file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from places import REPOSITORY, TESTS

PACKAGE = REPOSITORY / "plugins" / "kitwai"
MODULES = [
    path.relative_to(PACKAGE)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" and "migrations" not in path.parts
]


def test_the_root_of_the_package_holds_few_modules():
    assert len([path for path in MODULES if len(path.parts) == 1]) <= 6


def test_no_name_of_a_module_occurs_more_than_twice():
    names = Counter(path.name for path in MODULES)
    assert [name for name, count in names.items() if count > 2] == []


def test_most_modules_have_tests_of_their_name():
    unit, real = TESTS / "unit", TESTS / "real"
    in_unit = {path.relative_to(unit) for path in unit.rglob("test_*.py")}
    in_real = {path.name for path in real.rglob("test_*.py")}

    def is_tested(module: Path) -> bool:
        name = f"test_{module.name}"
        return module.parent / name in in_unit or name in in_real

    tested = [module for module in MODULES if is_tested(module)]
    assert len(tested) >= 0.7 * len(MODULES)


def test_the_readme_is_short_and_its_sentences_too():
    text = (REPOSITORY / "README.md").read_text()
    prose = re.sub(r"```.*?```|^    .*?$|^\|.*?$|!\[[^\]]*\]\([^)]*\)", "", text, flags=re.S | re.M)
    words = re.findall(r"[A-Za-z0-9][\w'./-]*", re.sub(r"\]\([^)]*\)", "]", text))
    assert len(words) <= 700
    sentences = [part for part in re.split(r"(?<=[.:!?])\s+|\n\n|\n[-#]", prose) if part.strip()]
    lengths = [len(part.split()) for part in sentences]
    assert sum(lengths) / len(lengths) <= 16.0


def test_the_map_names_every_package_and_modules_that_exist():
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    packages = {path.parts[0].removesuffix(".py") for path in MODULES}
    assert {name for name in packages if f"`{name}`" not in text} == set()
    dotted = {
        tuple(name.split("."))
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", text)
        if name.split(".")[0] in packages
    }
    assert len(dotted) > 10
    for parts in dotted:
        # The last part may be a function of the module before it.
        places = [PACKAGE.joinpath(*parts), PACKAGE.joinpath(*parts[:-1])]
        assert any(place.is_dir() or place.with_suffix(".py").is_file() for place in places), parts
