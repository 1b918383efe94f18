"""What is freed is kept: in a process of its own, for the settings hold to its end."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from dermaflow_jobs.train.memory import keep_freed_memory
{call}
for round in range(30):
    if round == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [np.ones(2**20) for _ in range(4)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc here, whose malloc this is about")
def test_the_same_blocks_again_cost_no_page_faults() -> None:
    """Twenty rounds of four times 8 MB; as glibc is by itself they are asked of the kernel again every time."""
    assert faults("pass") > 10_000
    assert faults("assert keep_freed_memory()") < 1_000


def faults(call: str) -> int:
    return int(subprocess.check_output([sys.executable, "-c", PROGRAM.format(call=call)]))
