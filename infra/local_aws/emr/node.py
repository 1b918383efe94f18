"""The folders of a cluster on this machine, and how a process is started on one of its nodes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws import processes
from local_aws.emr.environment import Image, node_environment
from local_aws.emr.records import InstanceRecord


@dataclass(frozen=True)
class Node:
    """A node. It is only a folder, a home and a mark on its processes: the file system is this machine's."""

    cluster_folder: Path
    owner: str
    instance_id: str
    environment: Mapping[str, str]

    @classmethod
    def of(
        cls,
        instance: InstanceRecord,
        *,
        cluster_id: str,
        cluster_folder: Path,
        image: Image,
        endpoint: str,
        region: str,
    ) -> Node:
        folder = cluster_folder / "nodes" / instance.ec2_id
        environment = node_environment(node=folder, image=image, endpoint=endpoint, region=region)
        return cls(cluster_folder, cluster_id, instance.ec2_id, environment)

    @property
    def home(self) -> Path:
        return Path(self.environment["HOME"])

    def start(
        self, command: Sequence[str], *, task: str, logs: Path, extra: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Into `logs/stdout` and `logs/stderr`. Raises OSError where the program cannot be started."""
        return processes.start(
            command,
            owner=f"{self.owner}/{task}",
            environment={**self.environment, **(extra or {})},
            folder=self.home,
            stdout=logs / "stdout",
            stderr=logs / "stderr",
        )
