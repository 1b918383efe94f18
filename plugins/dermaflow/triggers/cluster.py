"""Waits for a cluster to be ready for steps, or to be gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from airflow.triggers.base import TriggerEvent

from dermaflow.emr.clusters import Cluster
from dermaflow.emr.logs import LogPlace, LogTail, read_tails
from dermaflow.emr.states import CLUSTER_OVER, CLUSTER_READY
from dermaflow.triggers.base import AwsTrigger
from dermaflow.triggers.outcome import Outcome
from dermaflow.triggers.polling import polls

Goal = Literal["ready", "terminated"]
LOOK_FOR_LOGS_EVERY_S = 5.0
NODES_SHOWN = 2


class ClusterTrigger(AwsTrigger):
    """Fires once, with an Outcome.

    :param goal: `ready` (RUNNING or WAITING; ending is a failure, explained by the bootstrap action's stderr) or
        `terminated`.
    :param timeout_s: seconds after which the outcome is `timed_out`; None waits for ever.
    :param log_wait_s: seconds to wait for the logs of a failed bootstrap action; EMR uploads them late.
    :param terminate_on_kill: end the cluster when a person kills the waiting task.
    """

    def __init__(
        self,
        *,
        cluster_id: str,
        goal: Goal,
        aws_conn_id: str | None,
        region_name: str | None = None,
        timeout_s: float | None = None,
        log_wait_s: float = 240.0,
        terminate_on_kill: bool = False,
    ) -> None:
        super().__init__(
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            cluster_id=cluster_id,
            goal=goal,
            timeout_s=timeout_s,
            log_wait_s=log_wait_s,
            terminate_on_kill=terminate_on_kill,
        )
        self.cluster_id, self.goal = cluster_id, goal
        self.timeout_s, self.log_wait_s = timeout_s, log_wait_s
        self.terminate_on_kill = terminate_on_kill

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async with await self.emr() as emr:
            cluster = None
            try:
                async for cluster in self._changes(emr):
                    if cluster.over or (self.goal == "ready" and cluster.state in CLUSTER_READY):
                        yield TriggerEvent((await self._outcome(cluster)).payload())
                        return
            except TimeoutError as error:
                state = cluster.state if cluster else "UNKNOWN"
                yield TriggerEvent(Outcome(state, False, self.cluster_id, reason=str(error), timed_out=True).payload())

    async def _changes(self, emr: Any) -> AsyncIterator[Cluster]:
        """The cluster, each time its state is another."""
        state = ""

        async def look() -> Cluster:
            return Cluster.of((await emr.describe_cluster(ClusterId=self.cluster_id))["Cluster"])

        async for cluster in polls(look, timeout_s=self.timeout_s, log=self.log):
            if cluster.state != state:
                state = cluster.state
                self.log.info("cluster %s is %s %s", self.cluster_id, state, cluster.reason)
                yield cluster

    async def _outcome(self, cluster: Cluster) -> Outcome:
        if self.goal == "terminated":
            return Outcome(cluster.state, cluster.state in CLUSTER_OVER, self.cluster_id, cluster.reason)
        if not cluster.over:
            return Outcome(cluster.state, True, self.cluster_id)
        bootstrap = "BOOTSTRAP" in cluster.reason.upper()
        detail = ""
        if bootstrap and cluster.log_uri:
            try:
                detail = await self._bootstrap_logs(cluster.id, cluster.log_uri)
            except Exception as error:  # noqa: BLE001 - that it failed is told, even where why cannot be found out
                self.log.warning("cannot read the bootstrap action's log: %s", error)
                detail = f"its log below {cluster.log_uri} cannot be read: {error}"
        return Outcome(cluster.state, False, self.cluster_id, cluster.reason, detail)

    async def _bootstrap_logs(self, cluster_id: str, log_uri: str) -> str:
        place = LogPlace.of_cluster(log_uri, cluster_id).below("node")
        self.log.info("waiting up to %.0f s for the bootstrap action's log below %s", self.log_wait_s, place.uri)
        give_up = time.monotonic() + self.log_wait_s
        async with await self.s3() as s3:
            while True:
                tails = [
                    tail
                    for tail in await read_tails(s3, place, "stderr", "stdout")
                    if "/bootstrap-actions/" in tail.uri
                ]
                if tails or time.monotonic() > give_up:
                    break
                await asyncio.sleep(min(LOOK_FOR_LOGS_EVERY_S, self.log_wait_s))
        return _by_node(tails) or f"no log yet; look below {place.uri}<instance>/bootstrap-actions/"

    async def undo(self) -> None:
        if not self.terminate_on_kill:
            return
        self.log.info("killed while waiting: ending cluster %s", self.cluster_id)
        async with await self.emr() as emr:
            cluster = Cluster.of((await emr.describe_cluster(ClusterId=self.cluster_id))["Cluster"])
            if cluster.protected and not cluster.over:
                await emr.set_termination_protection(JobFlowIds=[self.cluster_id], TerminationProtected=False)
            await emr.terminate_job_flows(JobFlowIds=[self.cluster_id])


def _by_node(tails: list[LogTail]) -> str:
    texts = []
    for tail in tails[:NODES_SHOWN]:
        node = tail.uri.split("/node/", 1)[-1].split("/", 1)[0]
        texts.append(f"on node {node}, {tail.text()}")
    more = len(tails) - NODES_SHOWN
    return "\n".join(texts + ([f"and {more} logs of other nodes"] if more > 0 else []))
