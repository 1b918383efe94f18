"""Clusters: found before they are asked for, asked for once, and ended for certain."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import backoff, code_of, is_passing, is_throttle
from dermaflow.emr import names
from dermaflow.emr.cost import Account, Bill, account
from dermaflow.emr.job_flow import JobFlow
from dermaflow.emr.states import CLUSTER_OVER, CLUSTER_PAID, CLUSTER_USABLE
from dermaflow.errors import AwsCallFailed

log = logging.getLogger(__name__)
APPEARS_WITHIN_S = 3.0
"""A cluster whose answer was lost is listed after this long at the latest, we trust; a later twin is ended later."""


@dataclass(frozen=True)
class Cluster:
    """What DescribeCluster says, as far as we decide by it."""

    id: str
    name: str
    state: str
    reason: str
    tags: dict[str, str]
    created_at: datetime | None
    log_uri: str | None
    protected: bool

    @classmethod
    def of(cls, cluster: dict[str, Any]) -> Cluster:
        status = cluster["Status"]
        change = status.get("StateChangeReason", {})
        reason = ": ".join(text for text in (change.get("Code"), change.get("Message")) if text)
        return cls(
            id=cluster["Id"],
            name=cluster["Name"],
            state=status["State"],
            reason=reason,
            tags=names.tags_of(cluster),
            created_at=status.get("Timeline", {}).get("CreationDateTime"),
            log_uri=cluster.get("LogUri"),
            protected=bool(cluster.get("TerminationProtected")),
        )

    @property
    def usable(self) -> bool:
        return self.state in CLUSTER_USABLE

    @property
    def over(self) -> bool:
        return self.state in CLUSTER_OVER


@dataclass(frozen=True)
class ClusterApi:
    """EMR's calls about clusters. `once` must not retry by itself, `client` may."""

    client: Any
    once: Any
    sleep: Callable[[float], None] = time.sleep

    def describe(self, cluster_id: str) -> Cluster | None:
        """None where EMR does not know the id (any more)."""
        try:
            return Cluster.of(self.client.describe_cluster(ClusterId=cluster_id)["Cluster"])
        except ClientError as error:
            if code_of(error) in {"InvalidRequestException", "ValidationException"}:
                return None
            raise

    def named(self, name: str, *, states: tuple[str, ...] = CLUSTER_PAID) -> list[Cluster]:
        """Every cluster of this very name in these states, oldest first."""
        return [cluster for cluster in self.prefixed(name, states=states) if cluster.name == name]

    def prefixed(self, prefix: str, *, states: tuple[str, ...] = CLUSTER_PAID) -> list[Cluster]:
        """Every cluster whose name begins so, in these states, oldest first."""
        pages = self.client.get_paginator("list_clusters").paginate(ClusterStates=list(states))
        ids = [found["Id"] for page in pages for found in page["Clusters"] if found["Name"].startswith(prefix)]
        described = [cluster for cluster in map(self.describe, ids) if cluster and cluster.state in states]
        return sorted(described, key=lambda c: (c.created_at.timestamp() if c.created_at else 0.0, c.id))

    def account(self, cluster_id: str) -> Account:
        """What it has cost until now."""
        return account(self._listed("list_instances", cluster_id, "Instances"), datetime.now(UTC))

    def bill(self, cluster_id: str) -> Bill:
        """What its cost is reckoned from."""
        described = self.client.describe_cluster(ClusterId=cluster_id)["Cluster"]
        return Bill(
            described,
            self._listed("list_instances", cluster_id, "Instances"),
            self._listed("list_steps", cluster_id, "Steps"),
        )

    def _listed(self, call: str, cluster_id: str, items: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator(call).paginate(ClusterId=cluster_id)
        return [item for page in pages for item in page[items]]

    def of_run(self, deployment: str, run_key: str, *, states: tuple[str, ...] = CLUSTER_PAID) -> list[Cluster]:
        """By name and by tags: a name alone may be anybody's."""
        wanted = {names.TAG_DEPLOYMENT: deployment, names.TAG_RUN_KEY: names.tag_value(run_key)}
        return [c for c in self.named(names.cluster_name(run_key), states=states) if wanted.items() <= c.tags.items()]

    def obtain(self, request: JobFlow, *, stored_id: str | None = None) -> tuple[Cluster, bool]:
        """The run's cluster, and whether it is new. Never two, whatever was lost on the way.

        Looks before every request, as each may have been carried out although its answer was lost; and after it,
        as another process may have asked at the same time: the oldest stays.
        """
        known = self.describe(stored_id) if stored_id else None
        if known and known.usable and _is_for(known, request):
            log.info("cluster %s, remembered from an earlier try, is %s", known.id, known.state)
            return known, False
        pauses = backoff(first_s=1.0, most_s=15.0, tries=9)
        while True:
            found = self._settle(request)
            if found:
                log.info("cluster %s of this run exists already and is %s", found.id, found.state)
                return found, False
            try:
                created = self.once.run_job_flow(**request)["JobFlowId"]
            except (ClientError, BotoCoreError, OSError) as error:
                self._wait_or_give_up(request, error, pauses)
                continue
            log.info("asked EMR for cluster %s", created)
            settled = self._settle(request) or self.describe(created)
            if settled is None:
                raise AwsCallFailed(
                    attempted="created",
                    resource=f"cluster {created}",
                    reason="EMR answered with its id, yet does not know it",
                    remedy="let the task be retried; it looks for the cluster by its name first",
                )
            return settled, settled.id == created

    def _wait_or_give_up(self, request: JobFlow, error: Exception, pauses: Any) -> None:
        pause = next(pauses, None) if is_passing(error) else None
        if pause is None:
            raise AwsCallFailed(
                attempted="tried to create",
                resource=f"cluster {request['Name']!r}",
                reason=str(error),
                remedy="correct what EMR names above in the run's params, or the connection's permissions",
            ) from error
        if not is_throttle(error):
            pause += APPEARS_WITHIN_S
        log.warning("RunJobFlow failed: %s; it may have been carried out: we look again in %.1f s", error, pause)
        self.sleep(pause)

    def _settle(self, request: JobFlow) -> Cluster | None:
        """The run's one usable cluster; ends younger twins, and clusters that were asked for with other options."""
        tags = names.tags_of(request)
        keep: Cluster | None = None
        for cluster in self.of_run(tags[names.TAG_DEPLOYMENT], tags[names.TAG_RUN_KEY], states=CLUSTER_USABLE):
            if keep is None and _is_for(cluster, request):
                keep = cluster
                continue
            why = "a twin of it" if keep else "asked for with other options"
            log.warning("ending cluster %s (%s): it is %s", cluster.id, cluster.state, why)
            self.terminate(cluster)
        return keep

    def terminate(self, cluster: Cluster) -> None:
        """Ask EMR to end it, protected or not, in this moment or since. Asking twice does no harm."""
        try:
            self._lift_protection(cluster)
            self.client.terminate_job_flows(JobFlowIds=[cluster.id])
        except ClientError as error:
            now = self.describe(cluster.id)
            if now is None or now.over:
                return  # it ended by itself meanwhile
            if not now.protected:
                raise
            log.warning("EMR refused to end cluster %s: %s", cluster.id, error)
            self._lift_protection(now)
            self.client.terminate_job_flows(JobFlowIds=[cluster.id])

    def _lift_protection(self, cluster: Cluster) -> None:
        if cluster.protected:
            log.warning("lifting the termination protection of cluster %s", cluster.id)
            self.client.set_termination_protection(JobFlowIds=[cluster.id], TerminationProtected=False)


def _is_for(cluster: Cluster, request: JobFlow) -> bool:
    """Is it this run's, and was it asked for with these very options?"""
    wanted = names.tags_of(request)
    keys = (names.TAG_DEPLOYMENT, names.TAG_RUN_KEY, names.TAG_REQUEST)
    return all(cluster.tags.get(key) == wanted[key] for key in keys)
