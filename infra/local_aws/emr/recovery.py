"""What a stand-in that was killed left behind: processes that still run, and clusters recorded as alive."""

from __future__ import annotations

import logging
import shutil

from local_aws import processes
from local_aws.emr import machine
from local_aws.emr.driver import Host

log = logging.getLogger(__name__)


def end_what_was_alive(host: Host) -> None:
    """Processes first, so that a cluster reported as ended has none."""
    for cluster in host.store.newest_first():
        if cluster.ended:
            continue
        processes.end_all(cluster.id)
        shutil.rmtree(host.cluster_folder(cluster.id), ignore_errors=True)
        host.store.apply(cluster.id, machine.Lost())
        log.warning("%s was %s when the stand-in died: ended with errors", cluster.id, cluster.state)
