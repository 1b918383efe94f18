"""`RunSpec`: the one typed value that says all that a run is."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints

from dermaflow_jobs.contract import CONTRACT_VERSION
from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.score import ScoreTask

StorageRoot = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_.=-]+)*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RunKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.=-]+$", max_length=200)]


def make_run_key(*, dag_id: str, run_id: str, logical_date: datetime | None, scheduled: bool) -> str:
    """The run's one place in S3: by logical date for scheduled and backfill runs, else by the run id.

    A backfill of one date therefore always lands in one place, whatever Airflow calls the run.
    """
    by = logical_date.strftime("%Y-%m-%dT%H-%M-%SZ") if scheduled and logical_date else run_id
    return f"{dag_id}={re.sub(r'[^0-9A-Za-z_.-]+', '-', by)}"[:200]


class RunIdentity(Value):
    """Which run this is, and up to when it sees data."""

    run_key: RunKey
    dag_id: str
    run_id: str
    logical_date: AwareDatetime | None
    data_until: AwareDatetime
    """End of the data interval: images under `raw/dt=…` later than this are not seen."""
    run_type: str | None = None
    """Airflow's: scheduled, backfill, manual, asset_triggered."""


class CodeRef(Value):
    """Which code runs, and in which environment; both are hashes, so a path on a node says what stands there."""

    code_id: Sha256
    """Over every file of the published bundle; names `code/<code_id>/`."""
    environment_id: Sha256
    """Over the lock alone: what the environment is built from."""

    def venv_dir(self, environment_root: str) -> str:
        """The venv that the bootstrap action builds on every node."""
        return f"{environment_root}/env-{self.environment_id[:16]}"

    def code_dir(self, environment_root: str) -> str:
        """Where the bootstrap action unpacks `dermaflow_jobs` and `launch.py` on every node."""
        return f"{environment_root}/code-{self.code_id[:16]}"


class RunSpec(Value):
    """What `run.json` holds and every job is given."""

    version: Literal[1] = CONTRACT_VERSION
    root: StorageRoot
    """`s3://bucket[/prefix]`: everything of the project is below it."""
    code: CodeRef
    identity: RunIdentity
    options: RunOptions
    score: ScoreTask | None = None
    """Of a run that scores new images; of its options only those of the cluster count then."""
