"""One thing that would make a run fail, and the table that shows all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

WIDTHS = (26, 50, 60)
HEADER = ("what", "found", "what to do")


@dataclass(frozen=True)
class Problem:
    subject: str
    """The param, resource or file."""
    found: str
    remedy: str


def table(problems: Sequence[Problem]) -> str:
    """Three wrapped columns, a block of lines a problem."""
    rows = [HEADER, *((p.subject, p.found, p.remedy) for p in problems)]
    rule = "-+-".join("-" * width for width in WIDTHS)
    blocks = ["\n".join(_lines(row)) for row in rows]
    return f"\n{rule}\n".join(blocks)


def _lines(row: tuple[str, str, str]) -> list[str]:
    cells = [_wrap(text, width) for text, width in zip(row, WIDTHS, strict=True)]
    height = max(len(cell) for cell in cells)
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    return [
        " | ".join(line.ljust(width) for line, width in zip(lines, WIDTHS, strict=True)).rstrip()
        for lines in zip(*padded, strict=True)
    ]


def _wrap(text: str, width: int) -> list[str]:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, width)]
    return lines or [""]
