"""One thing that would make a run fail, and the table that shows all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from dermaflow.aws import is_passing
from dermaflow.errors import AwsCallFailed

WIDTHS = (26, 50, 60)
HEADER = ("what", "found", "what to do")


@dataclass(frozen=True)
class Problem:
    subject: str
    """The param, resource or file."""
    found: str
    remedy: str


def excuse(error: Exception, resource: str) -> None:
    """Raise AwsCallFailed for an error that may pass: that is no problem of the input, and the task is tried again.

    A server that cannot be reached at all is a problem: somebody wrote a wrong endpoint.
    """
    if is_passing(error) and not isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        raise AwsCallFailed(
            attempted="tried to check",
            resource=resource,
            reason=str(error),
            remedy="nothing, if it happens once; else see the state of the AWS service",
        ) from error


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
