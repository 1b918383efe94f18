"""Markers: the place where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from local_aws.emr.errors import invalid_request

T = TypeVar("T")


def page(items: Sequence[T], marker: str | None, size: int) -> tuple[list[T], dict[str, str]]:
    """One page, and the `Marker` of the answer (empty on the last). Raises EmrError for a marker that is not ours."""
    start = _read(marker)
    end = start + size
    return list(items[start:end]), ({"Marker": _write(end)} if end < len(items) else {})


def _write(start: int) -> str:
    return base64.urlsafe_b64encode(f"local-aws:{start}".encode()).decode()


def _read(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        return int(base64.urlsafe_b64decode(marker).decode().removeprefix("local-aws:"))
    except (binascii.Error, ValueError) as error:
        raise invalid_request(f"Marker '{marker}' is not valid.") from error
