"""The job code with jobs that do no work."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

from dermaflow_jobs.contract.steps import StepName
from local_stack.config import REPO


def light_code(code: Path) -> Path:
    """Write what `DERMAFLOW_CODE_DIR` may name: the repository's code with the jobs replaced; the lock is the same."""
    shutil.rmtree(code, ignore_errors=True)
    skip = shutil.ignore_patterns(".venv", "__pycache__", ".*cache")
    shutil.copytree(REPO / "jobs", code / "jobs", ignore=skip)
    shutil.copytree(REPO / "infra" / "emr", code / "infra" / "emr", ignore=skip)
    light = (Path(__file__).parent / "light_step.py").read_text()
    for step in get_args(StepName):
        (code / "jobs" / "dermaflow_jobs" / step / "__main__.py").write_text(light.replace("@step@", step))
    return code
