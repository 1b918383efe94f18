"""What is rented, and for how long at most."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import StringConstraints, model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.cluster_sizes import CLUSTER_SIZES
from dermaflow_jobs.contract.options.field import option

SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")]
InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]


class ClusterOptions(Value):
    """What is rented, and for how long at most."""

    release_label: str = option(
        "emr-7.14.0", "EMR release", "Spark 3.5 line.", advanced=True, pattern=r"^emr-\d+\.\d+\.\d+$"
    )
    cluster_size: Literal["small", "standard", "large", "gpu"] = option(
        "standard", "Cluster size", "What the fields about nodes mean that are left empty."
    )
    primary_type: InstanceType = option(
        "m6i.xlarge",
        "Primary instance type",
        "EC2 type of the primary node; where it is short, one of the same size.",
        advanced=True,
    )
    core_type: InstanceType = option(
        "m6i.xlarge",
        "Core instance type",
        "EC2 type of the core and spot nodes; where it is short, one of the same size.",
    )
    core_count: int = option(2, "Core nodes", "How many nodes do the work.", unit="nodes", ge=1, le=256)
    spot_task_nodes: int = option(
        0,
        "Spot nodes",
        "Nodes more, on spot, while there is work for them; EMR gives them back when there is none, and a lost one"
        " costs a retry of its tasks.",
        unit="nodes",
        advanced=True,
        ge=0,
        le=256,
    )
    fallback_types: tuple[InstanceType, ...] = option(
        (),
        "Other instance types",
        "What may stand in for the types above, where they are short; of their size. Empty: what the region has.",
        advanced=True,
        max_length=20,
    )
    disk_gb: int = option(
        0,
        "Disk",
        "EBS volume of each core and spot node. 0: from the size of the images.",
        unit="GB",
        advanced=True,
        ge=0,
        le=16_384,
    )
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
    subnet_ids: tuple[SubnetId, ...] = option(
        (),
        "Subnets",
        "Where the nodes may stand: EMR takes the one that has the machines. Empty: the account's default.",
        advanced=True,
        max_length=16,
    )
    primary_security_group: str | None = option(
        None,
        "Primary's security group",
        "That EMR manages; empty: EMR makes its own.",
        advanced=True,
        pattern=r"^sg-[0-9a-f]+$",
    )
    core_security_group: str | None = option(
        None,
        "Core's security group",
        "Of core and spot nodes, as the primary's.",
        advanced=True,
        pattern=r"^sg-[0-9a-f]+$",
    )
    service_security_group: str | None = option(
        None,
        "Service access security group",
        "By which EMR reaches nodes in private subnets, as the primary's.",
        advanced=True,
        pattern=r"^sg-[0-9a-f]+$",
    )
    security_configuration: str | None = option(
        None,
        "Security configuration",
        "EMR's, by name: encryption at rest and between nodes, IMDSv2. Empty: none.",
        advanced=True,
        max_length=255,
    )
    log_key_arn: str | None = option(
        None,
        "Key of the logs",
        "KMS key that EMR encrypts its logs in S3 with; empty: the bucket's own encryption.",
        advanced=True,
        pattern=r"^arn:aws[a-z-]*:kms:.+$",
    )
    environment_archive: bool = option(
        True,
        "Published environment",
        "Unpack the Python environment that an earlier cluster published, if there is one, and publish it if there is"
        " none. Off: build it from the package index every time.",
        advanced=True,
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

    @model_validator(mode="before")
    @classmethod
    def _as_the_size_says(cls, data: Any) -> Any:
        size = CLUSTER_SIZES.get(data.get("cluster_size", "standard")) if isinstance(data, dict) else None
        return {**size.values, **data} if size else data
