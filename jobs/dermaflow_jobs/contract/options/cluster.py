"""What is rented, and for how long at most."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.field import option

InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]


class ClusterOptions(Value):
    """What is rented, and for how long at most."""

    release_label: str = option(
        "emr-7.14.0", "EMR release", "Spark 3.5 line.", advanced=True, pattern=r"^emr-\d+\.\d+\.\d+$"
    )
    primary_type: InstanceType = option("m6i.xlarge", "Primary instance type", "EC2 type of the primary node.")
    core_type: InstanceType = option("m6i.xlarge", "Core instance type", "EC2 type of the core nodes.")
    core_count: int = option(2, "Core nodes", "How many nodes do the work.", unit="nodes", ge=1, le=256)
    service_role: str = option(
        "DermaflowEmrService",
        "Service role",
        "IAM role that EMR assumes.",
        advanced=True,
        pattern=r"^[A-Za-z0-9_+=,.@/:-]+$",
        max_length=512,
    )
    instance_profile: str = option(
        "DermaflowEmrNode",
        "Instance profile",
        "What the cluster's nodes may do.",
        advanced=True,
        pattern=r"^[A-Za-z0-9_+=,.@/:-]+$",
        max_length=512,
    )
    subnet_id: str | None = option(
        None,
        "Subnet",
        "Where the nodes stand; empty: the account's default.",
        advanced=True,
        pattern=r"^subnet-[0-9a-f]+$",
    )
    environment_root: str = option(
        "/var/tmp/dermaflow",  # noqa: S108 - the bootstrap action refuses it if somebody else owns it
        "Environment root",
        "Folder on every node that the bootstrap action builds the Python environment in.",
        advanced=True,
        pattern=r"^/[A-Za-z0-9_./-]+$",
        max_length=200,
    )
    idle_minutes: int = option(
        15,
        "Idle timeout",
        "EMR ends the cluster by itself after this long without work.",
        unit="min",
        advanced=True,
        ge=1,
        le=1440,
    )
    max_hours: float = option(
        6.0, "Deadline", "A cluster older than this is ended whatever it does.", unit="h", advanced=True, gt=0, le=168
    )
    max_cost_usd: float = option(
        25.0,
        "Cost limit",
        "A run that could cost more than this, all nodes at the on-demand price until the deadline, does not start.",
        unit="USD",
        gt=0,
        le=100_000,
    )
