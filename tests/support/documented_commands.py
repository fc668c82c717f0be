"""The commands of the documentation: fenced ``sh`` blocks, each with a comment: who runs it.

``<!-- run -->``: tests/real/docs; ``<!-- run by tests/… -->``: another test's file.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- run(?: by (?P<by>\S+))? -->\n\s*)?```sh\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """Some commands of a page. ``by``: the test that runs them, empty: tests/real/docs, None: the
    page does not say.
    """

    page: str
    line: int
    commands: str
    by: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of commands of a page, in their order."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        marked = "<!-- run" in match.group(0)
        found.append(
            Block(
                page.name,
                text.count("\n", 0, match.start("body")) + 1,
                textwrap.dedent(match["body"]),
                (match["by"] or "") if marked else None,
            )
        )
    return found
