"""Threads that take only what the training step leaves of the cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

LOWER = 10
"""Added to niceness: by Linux's weights (110 to 1,024) such a thread still gets a tenth of a core that another wants
whole, which is about what an input pipeline needs; so a busy neighbour on the node does not starve it."""

Made = TypeVar("Made")


def in_background(make: Callable[[], Made]) -> Made:
    """What `make` gives; every thread that it starts has a lower priority, for threads inherit their maker's."""
    with ThreadPoolExecutor(1, initializer=_step_back) as maker:
        return maker.submit(make).result()


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere it would be the process that is nice, not the thread
        os.nice(LOWER)
