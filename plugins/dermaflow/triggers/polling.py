"""How often to look, and how to ride out a bad minute of AWS's or the network's."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

from dermaflow.aws import is_passing

T = TypeVar("T")


class Logger(Protocol):
    def warning(self, event: str, *args: Any) -> Any: ...


FIRST_S: Final = 1.0
MOST_S: Final = 20.0
SHARE: Final = 0.03
"""Of the time waited so far: looking late then costs at most this share of what was waited for."""
PATIENCE_S: Final = 900.0
"""Errors that may pass are ridden out for this long without one good answer."""


def interval(waited_s: float) -> float:
    """Seconds until the next look."""
    return min(MOST_S, max(FIRST_S, SHARE * waited_s))


async def polls(
    look: Callable[[], Awaitable[T]],
    *,
    timeout_s: float | None,
    log: Logger,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[T]:
    """What `look` answers, again and again. Raises TimeoutError after `timeout_s`, and the last error if all fail."""
    began = last_good = clock()
    while True:
        try:
            answer = await look()
        except Exception as error:
            if not (is_passing(error) or isinstance(error, TimeoutError)) or clock() - last_good > patience_s:
                raise
            log.warning("AWS did not answer, looking again: %s", error)
        else:
            last_good = clock()
            yield answer
        waited = clock() - began
        if timeout_s is not None and waited >= timeout_s:
            raise TimeoutError(f"waited {waited:.0f} s")
        await asyncio.sleep(interval(waited) * random.uniform(0.85, 1.0))  # noqa: S311 - spreads pollers
