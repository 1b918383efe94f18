"""What the triggers share: their fields, their clients, their log."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from airflow.triggers.base import BaseTrigger

from dermaflow.aws import emr_hook, s3_hook


class AwsTrigger(BaseTrigger):
    """Keeps its keyword arguments as fields, so that it can be built again in another process."""

    def __init__(self, *, aws_conn_id: str | None, region_name: str | None, **fields: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_id, self.region_name = aws_conn_id, region_name
        self._fields = fields

    def serialize(self) -> tuple[str, dict[str, Any]]:
        where = {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**where, **self._fields}

    async def emr(self) -> AbstractAsyncContextManager[Any]:
        """An aiobotocore client of the connection."""
        client: AbstractAsyncContextManager[Any] = await emr_hook(self.aws_conn_id, self.region_name).get_async_conn()
        return client

    async def s3(self) -> AbstractAsyncContextManager[Any]:
        client: AbstractAsyncContextManager[Any] = await s3_hook(self.aws_conn_id, self.region_name).get_async_conn()
        return client
