"""What the triggers share: their fields, their clients, their log."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from airflow.triggers.base import BaseTrigger

from dermaflow.aws import emr_hook, s3_hook

UNDO_S: Final = 60.0
_undoing: set[asyncio.Task[None]] = set()
"""Held here, since the event loop holds its tasks weakly."""


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

    async def undo(self) -> None:
        """What has to be taken back when the task is killed while it waits."""

    async def on_kill(self) -> None:
        """Sees `undo` through, beyond its own end if need be.

        Airflow 3.3 cancels a killed trigger again at each turn of its loop, a second apart, until it is gone; a first
        call that is throttled takes longer than that.
        """
        task = asyncio.create_task(self._undo_and_tell())
        _undoing.add(task)
        task.add_done_callback(_undoing.discard)
        await asyncio.shield(task)

    async def _undo_and_tell(self) -> None:
        try:
            async with asyncio.timeout(UNDO_S):
                await self.undo()
        except Exception:  # the triggerer may have let go of the trigger by now, and then nobody else would tell
            self.log.exception("killed while waiting, and what was to be undone was not")
