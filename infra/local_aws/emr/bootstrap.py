"""Bootstrap actions: on every node at once, one after the other on each."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.emr.logs import ClusterLogs
from local_aws.emr.machine import BootstrapFailed
from local_aws.emr.node import Node
from local_aws.emr.records import BootstrapAction, ClusterRecord, InstanceRecord
from local_aws.emr.s3_access import bucket_and_key, s3_client

log = logging.getLogger(__name__)


def run_everywhere(
    cluster: ClusterRecord, nodes: dict[str, Node], logs: ClusterLogs, endpoint: str
) -> BootstrapFailed | None:
    """None where every action ended with 0 on every node, else the first failure, primary node first."""
    if not cluster.bootstrap_actions:
        return None
    with ThreadPoolExecutor(len(cluster.instances), thread_name_prefix=f"{cluster.id}-bootstrap") as pool:
        failures = pool.map(
            lambda instance: _run_on(instance, nodes[instance.id], cluster.bootstrap_actions, logs, endpoint),
            cluster.instances,
        )
    return next((failure for failure in failures if failure is not None), None)


def _run_on(
    instance: InstanceRecord, node: Node, actions: tuple[BootstrapAction, ...], logs: ClusterLogs, endpoint: str
) -> BootstrapFailed | None:
    for number, action in enumerate(actions, start=1):
        folder = node.home.parent / "bootstrap-actions" / str(number)
        folder.mkdir(parents=True)
        fetched = _fetch(action.path, folder / Path(action.path).name, folder / "stderr", endpoint)
        code = _run(node, action, folder, number) if fetched else 1
        (folder / "controller").write_text(f"{action.path} {' '.join(action.args)}\nreturned {code}\n")
        where = logs.bootstrap_folder(instance.ec2_id, number)
        logs.upload(where, [path for name in ("controller", "stderr", "stdout") if (path := folder / name).is_file()])
        if code != 0:
            return BootstrapFailed(instance.ec2_id, instance.role, number, action, fetched, where)
    return None


def _fetch(source: str, target: Path, stderr: Path, endpoint: str) -> bool:
    try:
        if source.startswith("file:"):
            target.write_bytes(Path(source.removeprefix("file:").replace("//", "/", 1)).read_bytes())
        else:
            bucket, key = bucket_and_key(source)
            s3_client(endpoint).download_file(bucket, key, str(target))
    except (ClientError, BotoCoreError, OSError) as error:
        stderr.write_text(f"{source} could not be downloaded: {error}\n")
        return False
    target.chmod(0o755)
    return True


def _run(node: Node, action: BootstrapAction, folder: Path, number: int) -> int:
    script = str(folder / Path(action.path).name)
    try:
        process = node.start([script, *action.args], task=f"bootstrap-{number}", logs=folder)
    except OSError as error:
        (folder / "stderr").write_text(f"cannot run {action.path}: {error}\n")
        return 126
    return process.wait()
