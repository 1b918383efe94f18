"""What our operators share: the connection, the clients made from it, and waiting with or without a triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.sdk import BaseOperator, Context, XComArg

from dermaflow.aws import IN_PASSING, emr_hook, once_client, s3_hook
from dermaflow.emr.clusters import ClusterApi
from dermaflow.emr.prices import API_REGION, PriceList, price_list
from dermaflow.emr.steps import StepApi
from dermaflow.links import EmrConsoleLink
from dermaflow.settings import AWS_CONN_ID
from dermaflow.storage import Storage
from dermaflow.triggers.base import AwsTrigger
from dermaflow_jobs.contract.s3_layout import Layout

TextArg: TypeAlias = str | XComArg
"""A text, or the output of a task that will be one."""
ValueArg: TypeAlias = dict[str, Any] | XComArg
"""A contract value as a dict, or the output of a task that will be one."""


class AwsOperator(BaseOperator):
    """
    :param aws_conn_id: Airflow connection; None: boto3's own chain of credentials.
    :param region_name: instead of the connection's.
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name")

    def __init__(self, *, aws_conn_id: str | None = AWS_CONN_ID, region_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    @cached_property
    def emr(self) -> EmrHook:
        return emr_hook(self.aws_conn_id, self.region_name)

    @cached_property
    def s3_client(self) -> Any:
        return s3_hook(self.aws_conn_id, self.region_name).conn

    def storage(self, root: str) -> Storage:
        return Storage(Layout.of(root), self.s3_client)

    def clusters(self) -> ClusterApi:
        return ClusterApi(self.emr.conn, once_client(self.emr))

    def steps(self, cluster_id: str) -> StepApi:
        return StepApi(cluster_id, self.emr.conn, once_client(self.emr))

    def price_list(self, kinds: Iterable[str]) -> PriceList:
        """Of these instance types, in the region of the clusters."""

        def client(service: str, region: str | None) -> Any:
            return AwsBaseHook(self.aws_conn_id, client_type=service, region_name=region, config=IN_PASSING).conn

        region = str(self.emr.conn_region_name)
        return price_list(client("pricing", API_REGION), client("ec2", region), region, kinds)

    def link_cluster(self, context: Context, cluster_id: str) -> None:
        """Shows the cluster's page in AWS's console on the task."""
        EmrConsoleLink.persist(
            context=context,
            operator=self,
            region_name=self.emr.conn_region_name,
            aws_partition=self.emr.conn_partition,
            job_flow_id=cluster_id,
        )


class WaitingOperator(AwsOperator):
    """
    :param deferrable: wait in the triggerer (default), or in the worker where there is none.
    """

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def wait(self, context: Context, trigger: AwsTrigger, **kept: Any) -> Any:
        """Ends in `finish(context, event, **kept)`, in this process or another."""
        if self.deferrable:
            self.defer(trigger=trigger, method_name="finish", kwargs=kept)
        return self.finish(context, asyncio.run(_first_event(trigger)), **kept)

    def finish(self, context: Context, event: dict[str, Any], **kept: Any) -> Any:
        raise NotImplementedError


async def _first_event(trigger: AwsTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise RuntimeError(f"{trigger!r} ended without an event")
