"""A DAG run as Airflow's context shows it to a task, for operators that are called without a scheduler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred


@dataclass
class Outlets:
    """Airflow's accessors of outlet events, as far as we use them."""

    announced: list[tuple[str, str, Any]]
    extra: Any = None

    def __getitem__(self, outlet: Any) -> Outlets:
        self.name = outlet.name
        return self

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.announced.append((self.name, asset.uri, extra["run_key"]))


@dataclass
class FakeRun:
    """Its store lives as long as it does: as Airflow's task state store, it outlives a try."""

    run_id: str = "manual__1"
    run_type: str = "manual"
    logical_date: datetime | None = None
    data_interval_end: datetime | None = None
    params: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    xcoms: dict[str, Any] = field(default_factory=dict)
    announced: list[tuple[str, str, Any]] = field(default_factory=list)
    """Events of assets: outlet, URI and what they say of the run."""

    def context(self) -> Any:
        started = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
        run = SimpleNamespace(
            dag_id="lesions",
            run_id=self.run_id,
            run_type=self.run_type,
            logical_date=self.logical_date,
            data_interval_end=self.data_interval_end,
            start_date=started,
            run_after=started,
        )
        store = SimpleNamespace(get=self.stored.get, set=self.stored.__setitem__)
        ti = SimpleNamespace(
            map_index=-1,
            id="7",
            try_number=1,
            xcom_push=self._push,
            get_task_states=lambda **_: {self.run_id: self.states},
        )
        return {
            "dag_run": run,
            "params": self.params,
            "ti": ti,
            "task_instance": ti,
            "task_state_store": store,
            "outlet_events": Outlets(self.announced),
        }

    def _push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def execute(self, operator: BaseOperator) -> Any:
        """As a worker does; TaskDeferred comes out."""
        ExecutorSafeguard.tracker.set(operator)
        return operator.execute(self.context())

    def complete(self, operator: BaseOperator) -> Any:
        """As worker, triggerer and worker do, until the task is done."""
        step = operator.execute
        arguments: dict[str, Any] = {}
        while True:
            ExecutorSafeguard.tracker.set(operator)
            try:
                return step(self.context(), **arguments)
            except TaskDeferred as deferred:
                event = asyncio.run(first_event(again(deferred.trigger)))
                arguments = {**(deferred.kwargs or {}), "event": event}
                step = getattr(operator, deferred.method_name)


def again(trigger: Any) -> Any:
    """The trigger as another process builds it."""
    path, arguments = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    return type(trigger)(**arguments)


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")
